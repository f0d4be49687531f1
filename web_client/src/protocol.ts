/** The wire, version 1: packs and parses messages. Knows no socket and no page. */

export const PROTOCOL_VERSION = 1;
export const HEADER_BYTES = 24;
export const SUBPROTOCOL = "realtime.v1";

export const Format = { none: 0, jpeg: 1, png: 2, webp: 3 } as const;
export type Format = (typeof Format)[keyof typeof Format];

/** stacked: the fill above its key, in a picture twice as high. asIs: of a frame that the model is not to touch. */
export const Flag = { repeat: 1, stacked: 2, blacked: 8, asIs: 16 } as const;

export const CloseCode = {
  done: 1000,
  goingAway: 1001,
  protocol: 1002,
  refused: 1008,
  tooBig: 1009,
  engineFailed: 1011,
  full: 1013,
} as const;

export const mimeTypes: Record<Format, string> = {
  [Format.none]: "",
  [Format.jpeg]: "image/jpeg",
  [Format.png]: "image/png",
  [Format.webp]: "image/webp",
};

export interface FrameHeader {
  version: number;
  format: Format;
  flags: number;
  seq: number;
  /** A bigint because the field is a u64 that its sender alone understands. */
  captured_us: bigint;
  params_version: number;
  engine_us: number;
}

export interface Frame extends FrameHeader {
  payload: Uint8Array<ArrayBuffer>;
}

/** Raised for bytes or text that do not follow the wire; the connection can't go on. */
export class ProtocolError extends Error {}

export function packFrame(header: Omit<FrameHeader, "version">, payload: Uint8Array): ArrayBuffer {
  const buffer = new ArrayBuffer(HEADER_BYTES + payload.byteLength);
  const view = new DataView(buffer);
  view.setUint8(0, PROTOCOL_VERSION);
  view.setUint8(1, header.format);
  view.setUint16(2, header.flags, true);
  view.setUint32(4, header.seq, true);
  view.setBigUint64(8, header.captured_us, true);
  view.setUint32(16, header.params_version, true);
  view.setUint32(20, header.engine_us, true);
  new Uint8Array(buffer, HEADER_BYTES).set(payload);
  return buffer;
}

/** Parses a binary message. The payload is a view into `buffer`, not a copy. */
export function unpackFrame(buffer: ArrayBuffer): Frame {
  if (buffer.byteLength < HEADER_BYTES) throw new ProtocolError("shorter than the header");
  const view = new DataView(buffer);
  const version = view.getUint8(0);
  if (version !== PROTOCOL_VERSION) throw new ProtocolError(`unknown version ${version}`);
  const format = view.getUint8(1);
  if (!isFormat(format)) throw new ProtocolError(`unknown format ${format}`);
  return {
    version,
    format,
    flags: view.getUint16(2, true),
    seq: view.getUint32(4, true),
    captured_us: view.getBigUint64(8, true),
    params_version: view.getUint32(16, true),
    engine_us: view.getUint32(20, true),
    payload: new Uint8Array(buffer, HEADER_BYTES),
  };
}

function isFormat(value: number): value is Format {
  return value <= Format.webp;
}

export interface TextPart {
  text: string;
  weight: number;
}

/** A picture in whose style it is to be, by the id that the server gave it. */
export interface PicturePart {
  picture: string;
  weight: number;
}

/** A picture that others are to be like, beside the prompt. */
export interface Reference extends PicturePart {
  layers?: string;
}

/** A part of a blend. */
export type WeightedPrompt = TextPart | PicturePart;

export function isPicture(part: WeightedPrompt): part is PicturePart {
  return "picture" in part;
}

/** One params value, as JSON. */
export type Value = string | number | boolean | null | WeightedPrompt[] | Value[] | { [key: string]: Value };

/** All params in force. Only the fields that the client itself works with are named. */
export interface Params {
  version: number;
  width: number;
  height: number;
  [field: string]: Value;
}

export interface Phrase {
  name: string;
  prompt: string;
}

/** What a session's viewers see. The values are the commands that choose it. */
export type Air = "on_air" | "bypass" | "black";

export interface Styles {
  styles?: Phrase[];
  moods?: Phrase[];
  /** Pictures to take a style from that came with the model, by their ids. */
  pictures?: { name: string; picture: string }[];
}

/** A net that steers the picture. */
export interface ControlNet {
  name: string;
  /** What it is shown: `canny`, `depth` and so on. */
  hint: string;
  title: string;
  /** At which it is best. */
  weight: number;
}

/** A net at work. `start` and `end` are shares of the steps; `source` is `input`, or a picture's id. */
export type ControlRow = {
  net: string;
  weight: number;
  start: number;
  end: number;
  source: string;
};

/** How a model hears `guidance_scale`: not at all, beside the timestep, or with a second, negative prompt. */
export type Guidance = "none" | "embedded" | "cfg";

export interface Limits {
  max_message_bytes: number;
  max_pixels: number;
  max_sessions: number;
}

/** What is told of a model. */
export interface AboutModel {
  model: string;
  styles?: Styles;
  guidance?: Guidance;
  /** The values of `matte` that act. */
  mattes?: string[];
  /** Whether the negative prompt acts by `negative_scale`, too. */
  negative_scale?: boolean;
  /** Whether a prompt may have pictures in it. */
  pictures?: boolean;
  /** The nets that params may name. */
  controls?: ControlNet[];
  /** The `layers` that `references` may have, where there may be some. */
  references?: string[];
  /** Where other numbers of steps look worse. */
  best_steps?: number;
}

export interface Ready extends AboutModel {
  type: "ready";
  protocol: number;
  session: string;
  params: Params;
  limits: Limits;
  window: number;
  air?: Air;
  gliding_s?: number;
  tempo?: WireTempo;
  /** Where others were the last to move it. */
  crossfade?: WireCrossfade;
  /** By which a session's owner comes back. */
  ticket?: string;
}

/** The server's choice for a target of latency or frame rate, with its reason. */
export interface Governor {
  steps: number;
  /** How many nets are at work; missing where an older server doesn't say. */
  nets?: number;
  width: number;
  height: number;
  quality: number;
  reason: string;
  latency_ms: number | null;
  fps: number | null;
}

export interface Stats {
  type: "stats";
  fps_in: number;
  fps_out: number;
  latency_ms: Record<string, number>;
  stage_ms: Record<string, number>;
  dropped: Record<string, number>;
  /** Frames so far that showed nothing new. */
  repeated?: number;
  rows: number;
  sessions: number;
  /** The acceleration in use, as a sentence. */
  rung?: string;
  /** Only where the session has a target. */
  governor?: Governor;
}

/** What is heard of the prompts, where that is otherwise than they are written. */
export interface Heard {
  type: "heard";
  version: number;
  notes: { field: string; code: string; text: string; message: string }[];
}

/** The last message where the transport has no close codes of its own. */
export interface Closed {
  type: "closed";
  code: number;
  reason: string;
}

/** The engine broke and another is loaded, or it is ready again. */
export type StatusMessage =
  | { type: "status"; engine: "away"; reason: string; expected_s: number }
  | { type: "status"; engine: "ready" };

/** A frame checker holds the session's pictures, as `unsafe` or because it fails (`unchecked`), or does no more. */
export type SafetyMessage = { type: "safety"; held: true; code: string; message: string } | { type: "safety"; held: false };

/** Whether a frame's error says that its picture is held. */
export function isHeld(code: string): boolean {
  return code === "unsafe" || code === "unchecked";
}

/** Another model makes the pictures from now on; the params in force under it follow. */
export interface ModelMessage extends AboutModel {
  type: "model";
  dissolve_s: number;
  /** Params that it does not take as they were. */
  changed: { field: string; message: string }[];
}

/** Beats a minute, and how long ago one of them was. */
export interface WireTempo {
  bpm: number;
  since_s: number;
}

/** Where the crossfader is to be, from 0, the first deck, to 1, and how long the way there takes. */
export interface WireCrossfade {
  at: number;
  transition_s: number;
}

/**
 * What commands have changed: to remotes all of it, to the session's client what others have changed. `pad`: number of the
 * one that was called last; `pads` rises when they are replaced.
 */
export interface StateMessage {
  type: "state";
  frozen?: boolean;
  air?: Air;
  pad?: number | null;
  pads?: number;
  tempo?: WireTempo;
  crossfade?: WireCrossfade;
}

export type ServerMessage =
  | Ready
  | Closed
  | { type: "loading"; stage: string; percent: number | null }
  | { type: "queued"; position: number; size: number }
  | StatusMessage
  | SafetyMessage
  | ModelMessage
  /** `gliding_s`: seconds until all that is shown is as they say; missing where it is already. */
  | { type: "params"; params: Params; gliding_s?: number }
  | { type: "error"; code: string; message: string; field?: string; seq?: number }
  | { type: "dropped"; seqs: number[]; reason: string }
  | { type: "picture"; seq: number; id: string; width: number; height: number }
  | ({ type: "governor" } & Governor)
  | StateMessage
  | Heard
  | Stats;

export type ClientMessage =
  /** `transition_s`: of this patch alone, in place of the params' own. */
  | { type: "params"; params: Record<string, Value>; transition_s?: number | undefined }
  | { type: "command"; command: string; [argument: string]: Value }
  /** The video track from about now on is shown as it is, or no more. */
  | { type: "video"; as_is: boolean };

const serverTypes = new Set([
  "ready",
  "loading",
  "status",
  "safety",
  "model",
  "queued",
  "params",
  "error",
  "dropped",
  "picture",
  "governor",
  "state",
  "heard",
  "stats",
  "closed",
]);

/** Parses a text message. Returns null for a type that this version doesn't know: it is to be ignored. */
export function parseMessage(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError("text that is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ProtocolError("text that is no JSON object");
  }
  const type = (value as { type?: unknown }).type;
  return typeof type === "string" && serverTypes.has(type) ? (value as ServerMessage) : null;
}
