/** Joins the parts: sources → sender → connection → player, and params → panel. The page only draws what is here. */

import { computed, signal } from "@preact/signals";
import { browserClock as clock } from "../browser/clock";
import { download, fileName } from "../browser/download";
import { flag, kept } from "../browser/kept";
import {
  isLoopback,
  keepChoice,
  keptChoice,
  type TransportChoice,
  type TransportKind,
} from "../connection/transport_choice";
import { Connection } from "../connection/connection";
import { Dialer } from "../connection/dialer";
import { keepSessionName, sessionName } from "../connection/session";
import { httpSignaling } from "../connection/signaling";
import { dialWebRtc } from "../connection/webrtc";
import { dialWebSocket, webSocketUrl } from "../connection/websocket";
import type { NoteKind, ProblemKind } from "../languages/strings";
import { moved, seedFrom } from "../params/numbers";
import { differences, ParamsStore } from "../params/params";
import { Refiner } from "../params/refine";
import { type Control, controlsFrom, type NumberControl, type Schema } from "../params/schema";
import { Problems } from "../problems";
import type { Air, Closed, Frame, Governor, Guidance, Params, Ready, ServerMessage, Stats, Styles, Value } from "../protocol";
import { Meter } from "../receiving/meter";
import { Player } from "../receiving/player";
import { createEncoder } from "../sending/encoder";
import { FrameSender } from "../sending/frame_sender";
import type { Sender } from "../sending/sender";
import { createTrackCanvas } from "../sending/track_canvas";
import { TrackSender } from "../sending/track_sender";
import { Inputs } from "../sources/inputs";

/** News of paused frames still on its way when we unfreeze must not freeze us again; `stats` come once a second. */
const PAUSED_IS_OLD_MS = 2000;
const MENTION_MS = 8000;
const STEPS = "num_inference_steps";
/** More than sliders make in the half minute that can be rewound. */
const KEPT_VERSIONS = 4000;

export class Client {
  readonly problems = new Problems();
  readonly meter = new Meter(clock, () => this.connection.measure());
  readonly player = new Player((pictures) => {
    this.meter.played(pictures, this.params.inForce.peek()?.version ?? null);
    this.#tell(this.onOutput, null);
  });
  readonly inputs = new Inputs({
    problems: this.problems,
    changed: () => this.#changed(),
    onUse: (source) => {
      for (const sender of Object.values(this.#senders)) sender.use(source);
    },
    onBegun: () => {
      if (this.dialer.wanted !== this.dialer.inUse.peek()) this.connection.redial();
    },
  });
  readonly params = new ParamsStore({
    clock,
    send: (patch) => this.connection.send({ type: "params", params: patch }),
  });
  readonly dialer = new Dialer({
    clock,
    dials: {
      websocket: dialWebSocket(() => webSocketUrl(sessionName())),
      webrtc: dialWebRtc({
        clock,
        signaling: httpSignaling(sessionName),
        stream: () => this.#tracks.stream,
        createPeer: "RTCPeerConnection" in window ? (configuration) => new RTCPeerConnection(configuration) : null,
        codecs: () => RTCRtpReceiver.getCapabilities("video")?.codecs ?? [],
        onLeave,
      }),
    },
    choice: keptChoice(),
    isLocal: isLoopback(location.hostname),
    isVideo: () => this.inputs.source?.isStill === false,
    onFallBack: () => {
      this.note.value = { kind: "fellBack" };
    },
  });
  readonly connection = new Connection({
    dial: this.dialer.dial,
    clock,
    problems: this.problems,
    random: Math.random,
    isRefused,
    onReady: (ready) => this.#ready(ready),
    onMessage: (message) => this.#receive(message),
    onFrame: (frame) => void this.#show(frame),
    onVideo: (stream) => this.player.play(stream),
    onEnd: () => this.player.hold(),
  });

  /** Told what is on air there, and whether this page is connected for the first time. */
  onReady: (air: Air, isFirst: boolean) => void = () => {};
  /** Called when a picture came onto the screen: with its frame, or null where it is one of a video. */
  readonly onOutput = new Set<(frame: Frame | null) => void>();
  /** Called when the source has a new picture. */
  readonly onInput = new Set<() => void>();

  /** Whether the server owes an answer. */
  readonly isAtWork = signal(false);
  /** Whether nothing is sent while the tab is hidden. */
  readonly pausesHidden = kept("pausesHidden", flag, false);
  /** Whether a drawing gets few steps while the pen moves. */
  readonly refines = kept("refines", flag, false);
  readonly isFrozen = signal(false);
  /** Something worth knowing that is no problem, and the way back from it; null where there is nothing. */
  readonly note = signal<{ kind: NoteKind; undo?: () => void } | null>(null);
  readonly model = signal("");
  readonly styles = signal<Styles>({});
  readonly controls = signal<Control[]>([]);
  /** How the model hears guidance; null where the server doesn't say. */
  readonly guidance = signal<Guidance | null>(null);
  /** What the server chose to keep to a target; null where it governs nothing. */
  readonly governor = signal<Governor | null>(null);
  readonly serverStats = signal<Stats | null>(null);
  /** The params that a restarted server has lost; null where there is nothing to restore. */
  readonly lostParams = signal<Record<string, Value> | null>(null);
  /** Width by height of the pictures. */
  readonly shape = computed(() => {
    const { width, height } = this.params.inForce.value ?? { width: 1, height: 1 };
    return { width, height };
  });

  readonly #frames = new FrameSender({
    ...this.#sending("websocket"),
    encode: createEncoder(),
    send: (bytes) => this.connection.sendFrame(bytes),
  });
  readonly #tracks = new TrackSender({ ...this.#sending("webrtc"), createCanvas: createTrackCanvas });
  readonly #senders: Record<TransportKind, Sender> = { websocket: this.#frames, webrtc: this.#tracks };
  readonly #refiner = new Refiner({
    clock,
    isWanted: () => this.refines.peek(),
    lend: () => this.params.lend(STEPS, this.#number(STEPS)?.min ?? 1),
    giveBack: () => this.params.giveBack(STEPS),
  });
  #unfrozenAt_ms = -PAUSED_IS_OLD_MS;
  /** The params of the last versions: a picture names the version that made it. */
  readonly #versions = new Map<number, Params>();

  constructor() {
    this.inputs.canvas.pen.onMove = this.#refiner.moved;
    // The page that comes after this one would take the few steps for the user's own.
    addEventListener("pagehide", this.#refiner.rest);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#changed();
    });
  }

  chooseTransport(choice: TransportChoice): void {
    keepChoice(choice);
    this.dialer.choose(choice);
    this.note.value = null;
    if (this.dialer.wanted !== this.dialer.inUse.peek() || !this.connection.isOpen) this.connection.redial();
  }

  setFrozen(isFrozen: boolean): void {
    if (!this.connection.send({ type: "command", command: isFrozen ? "freeze" : "unfreeze" })) return;
    this.isFrozen.value = isFrozen;
    if (isFrozen) return;
    this.#unfrozenAt_ms = clock.now();
    this.#changed();
  }

  /** Chooses what is seen wherever this session is watched. */
  putOnAir(air: Air): void {
    this.connection.send({ type: "command", command: air });
  }

  newSeed(): void {
    this.params.edit("seed", seedFrom(this.#number("seed") ?? { min: null, max: null }, Math.random()), "sliding");
  }

  /** Moves a number by a share of its range. */
  nudge(field: string, share: number): void {
    const control = this.#number(field);
    const value = this.params.shown.peek()[field];
    if (control && typeof value === "number") this.params.edit(field, moved(control, value, share), "sliding");
  }

  restoreParams(): void {
    for (const [field, value] of Object.entries(this.lostParams.peek() ?? {}))
      this.params.edit(field, value, "sliding");
    this.dismissLostParams();
  }

  dismissLostParams(): void {
    this.lostParams.value = null;
    this.problems.clear("params");
  }

  /** The drawing as it is seen, larger than it is sent. */
  async saveDrawing(): Promise<void> {
    const png = await this.inputs.canvas.png();
    if (png) download(png, fileName("drawing", "png"), clock);
  }

  /** The params of a version; of one that is not known (or was made by a video) those in force. */
  paramsOf(version: number | null): Params | null {
    return this.#versions.get(version ?? -1) ?? this.params.inForce.peek();
  }

  #ready(ready: Ready): void {
    keepSessionName(ready.session);
    this.model.value = ready.model;
    this.styles.value = ready.styles ?? {};
    this.guidance.value = ready.guidance ?? null;
    this.governor.value = null;
    const before = this.params.inForce.peek();
    const lost = before ? differences(before, ready.params) : {};
    if (Object.keys(lost).length > 0) {
      this.lostParams.value = lost;
      this.problems.report("params", "paramsChanged");
    }
    this.#confirm(ready.params);
    this.params.resend();
    this.#senders[this.dialer.inUse.peek()].connected(ready.window);
    void this.#loadSchema();
    this.onReady(ready.air ?? "on_air", before === null);
  }

  #receive(message: Exclude<ServerMessage, Ready | Closed>): void {
    switch (message.type) {
      case "params":
        this.#confirm(message.params);
        break;
      case "dropped":
        if (message.reason === "paused") this.#noticePause();
        this.#frames.credit.settle(message.seqs);
        break;
      case "error":
        if (message.seq !== undefined) this.#frames.credit.settle([message.seq]);
        if (message.field !== undefined) this.params.refuse(message.field, message.message);
        else this.mention(message.seq === undefined ? "commandRefused" : "frameRefused", message.message);
        break;
      case "governor":
        this.governor.value = message;
        break;
      case "stats":
        // Where no `dropped` come, only the count tells that the session was frozen before this page was there.
        if (pausedIn(message) > pausedIn(this.serverStats.peek() ?? message)) this.#noticePause();
        this.serverStats.value = message;
        if (message.governor) this.governor.value = message.governor;
        break;
    }
    void this.#frames.pump();
    this.#noteWork();
  }

  #noticePause(): void {
    if (clock.now() - this.#unfrozenAt_ms > PAUSED_IS_OLD_MS) this.isFrozen.value = true;
  }

  #confirm(params: Params): void {
    const isNew = params.version !== this.params.inForce.peek()?.version;
    this.params.confirm(params);
    if (!isNew) return;
    if (!hasTarget(params)) this.governor.value = null;
    this.#versions.set(params.version, params);
    if (this.#versions.size > KEPT_VERSIONS) this.#versions.delete(this.#versions.keys().next().value ?? 0);
    this.inputs.canvas.resize(params.width, params.height);
    // A drawing doesn't change by itself: sent once more, it comes back with the new look.
    if (this.inputs.source?.isStill) this.#changed();
  }

  async #show(frame: Frame): Promise<void> {
    this.#frames.credit.settleUpTo(frame.seq);
    void this.#frames.pump();
    this.#noteWork();
    if (!(await this.player.show(frame))) return;
    this.meter.shown(frame);
    this.#tell(this.onOutput, frame);
  }

  #tell<T extends unknown[]>(listeners: ReadonlySet<(...news: T) => void>, ...news: T): void {
    for (const listener of listeners) listener(...news);
  }

  /** Something that was refused once: said, and after a while forgotten. */
  mention(kind: ProblemKind, detail = ""): void {
    this.problems.report("output", kind, detail);
    clock.after(MENTION_MS, () => this.problems.clear("output"));
  }

  /** Something that was done: said, and after a while forgotten. */
  say(kind: NoteKind, undo?: () => void): void {
    const note = undo ? { kind, undo } : { kind };
    this.note.value = note;
    clock.after(MENTION_MS, () => {
      if (this.note.peek() === note) this.note.value = null;
    });
  }

  async #loadSchema(): Promise<void> {
    try {
      const response = await fetch(new URL("api/params/schema", document.baseURI));
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      this.controls.value = controlsFrom((await response.json()) as Schema);
    } catch (error) {
      this.problems.report("params", "noSchema", String(error));
    }
  }

  /** What every sender is given; only the one of the transport in use has a target. */
  #sending(kind: TransportKind) {
    return {
      clock,
      target: () =>
        this.connection.isOpen && this.dialer.inUse.peek() === kind && !this.#isPaused ? this.params.inForce.peek() : null,
      onSent: () => {
        this.meter.sent();
        this.#noteWork();
      },
      onError: (error: unknown) => this.problems.report("source", "encoding", String(error)),
    };
  }

  readonly #changed = (): void => {
    this.#senders[this.dialer.inUse.peek()].changed();
    this.#tell(this.onInput);
  };

  get #isPaused(): boolean {
    return this.isFrozen.peek() || (document.hidden && this.pausesHidden.peek());
  }

  #noteWork(): void {
    this.isAtWork.value = this.#frames.credit.unsettled > 0;
  }

  #number(name: string): NumberControl | undefined {
    return this.controls.peek().find((control) => control.kind === "number" && control.name === name) as
      NumberControl | undefined;
  }
}

function hasTarget({ latency_ms = null, min_fps = null }: Params): boolean {
  return latency_ms !== null || min_fps !== null;
}

function pausedIn({ dropped }: Stats): number {
  return dropped.paused ?? 0;
}

function onLeave(action: () => void): () => void {
  addEventListener("pagehide", action);
  return () => removeEventListener("pagehide", action);
}

async function isRefused(): Promise<boolean> {
  try {
    const { status } = await fetch(new URL("api/config", document.baseURI));
    return status === 401 || status === 403;
  } catch {
    return false;
  }
}
