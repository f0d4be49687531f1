/**
 * The client for other people's pages: an element goes in, restyled pictures come out on a canvas. Made of the same parts
 * as this project's page; knows nothing of it.
 */

import { browserClock as clock } from "../browser/clock";
import { Connection } from "../connection/connection";
import { dialWebSocket } from "../connection/websocket";
import { PictureCanvas } from "../overlay/picture_canvas";
import { Problems } from "../problems";
import { Flag, type Frame, isHeld, mimeTypes, type Params, type Ready, type ServerMessage, type Stats, type Value } from "../protocol";
import { FrameSender } from "../sending/frame_sender";
import { errorOf } from "./errors";
import { ElementSource } from "./input";
import { encodeHere } from "./jpeg";
import type { ClientError, ClientStatus, Input } from "./types";

/** Params to change: see docs/protocol.md for all fields, or `GET /api/params/schema`. */
export type Patch = Readonly<Record<string, Value>>;

/** A restyled picture that is on the canvas. */
export interface ShownPicture {
  /** As it came: for `drawImage`, `toBlob` and the like. */
  readonly canvas: HTMLCanvasElement;
  readonly width: number;
  readonly height: number;
  /** The version of the params that made it. */
  readonly paramsVersion: number;
  /** From the frame that was sent to its picture on the canvas, in milliseconds. */
  readonly latency_ms: number;
}

export interface ClientEvents {
  /** A new picture is on the canvas. */
  picture: (picture: ShownPicture) => void;
  status: (status: ClientStatus) => void;
  /** Something went wrong; the client goes on by itself unless the status is `closed`. */
  error: (error: ClientError) => void;
  /** The params in force: all of them, after each change by whomever. */
  params: (params: Params) => void;
  /** Once a second: rates, latencies and what was dropped. */
  stats: (stats: Stats) => void;
}

export interface ClientOptions {
  /** Where the server is; without it, where this page came from. */
  server?: string | URL;
  /** The session's name: the same one comes back to its params. Without it the server makes one up. */
  session?: string;
  /** The server's token, or a ticket, where it wants one. */
  token?: string;
  ticket?: string;
  /** What is restyled. */
  input?: Input;
  /** Whether it is mirrored before it is sent. */
  mirrored?: boolean;
  /** What the pictures are drawn on; without it, a canvas of the client's own. */
  output?: HTMLCanvasElement;
  params?: Patch;
}

/** By which a token is told: browsers let a WebSocket bring no headers. */
const TOKEN_PREFIX = "token.";

/** Connects and reconnects by itself. Several may run on one page. */
export class RealtimeClient {
  readonly #options: ClientOptions;
  readonly #listeners: { [E in keyof ClientEvents]: Set<ClientEvents[E]> } = {
    picture: new Set(),
    status: new Set(),
    error: new Set(),
    params: new Set(),
    stats: new Set(),
  };
  readonly #screen: PictureCanvas;
  readonly #connection: Connection;
  readonly #sender: FrameSender;
  #source: ElementSource | null = null;
  #session: string | null;
  #ticket: string | null;
  #params: Params | null = null;
  #shownSeq = -1;
  /** What was set, all of it: a server that was restarted, and has forgotten it, is told again. */
  #set: Patch;

  constructor(options: ClientOptions = {}) {
    this.#options = options;
    this.#session = options.session ?? null;
    this.#ticket = options.ticket ?? null;
    this.#set = options.params ?? {};
    this.#screen = new PictureCanvas(options.output);
    const problems = new Problems(clock);
    this.#connection = new Connection({
      dial: dialWebSocket(() => this.#address(), options.token ? [`${TOKEN_PREFIX}${options.token}`] : []),
      clock,
      problems,
      random: Math.random,
      askWhy: async () => ({ status: 0, detail: "" }),
      onReady: (ready) => this.#ready(ready),
      onMessage: (message) => this.#receive(message),
      onFrame: (frame) => void this.#show(frame),
      onVideo() {},
      onEnd() {},
    });
    this.#sender = new FrameSender({
      clock,
      encode: encodeHere,
      target: () => (this.#connection.isOpen ? this.#params : null),
      send: (bytes) => this.#connection.sendFrame(bytes),
      onSent() {},
      onError: (error) => this.#tell("error", { kind: "input", message: `the input can't be grabbed: ${String(error)}` }),
    });
    this.#connection.status.subscribe(({ state }) => this.#tell("status", state));
    let last = "";
    problems.current.subscribe((current) => {
      const problem = current.get("connection");
      const text = problem ? `${problem.kind} ${problem.detail}` : "";
      if (problem && text !== last) this.#tell("error", errorOf(problem.kind, problem.detail));
      last = text;
    });
    if (options.input) this.setInput(options.input);
  }

  get status(): ClientStatus {
    return this.#connection.status.peek().state;
  }

  /** The session's name; null before the server has given one. */
  get session(): string | null {
    return this.#session;
  }

  /** The params in force; null before the first connection. */
  get params(): Params | null {
    return this.#params;
  }

  /** What the pictures are on. */
  get canvas(): HTMLCanvasElement {
    return this.#screen.canvas;
  }

  /** Connects, or tries again at once. */
  start(): this {
    this.#connection.start();
    return this;
  }

  /** Ends the connection, and lets go of the input. */
  close(): void {
    this.setInput(null);
    this.#connection.stop();
  }

  /**
   * Calls a listener on each event.
   * @returns what ends that.
   */
  on<E extends keyof ClientEvents>(event: E, listener: ClientEvents[E]): () => void {
    this.#listeners[event].add(listener);
    return () => void this.#listeners[event].delete(listener);
  }

  /** Has another element restyled; null: none. */
  setInput(input: Input | null): void {
    this.#source?.stop();
    this.#source = input && new ElementSource(input, this.#options.mirrored ?? false);
    this.#sender.use(this.#source);
    this.#source?.start(this.#sender.changed);
  }

  /**
   * Changes params. While there is no connection, as soon as there is one.
   * @param transition_s seconds in which the pictures glide to them.
   */
  set(params: Patch, transition_s?: number): void {
    this.#set = { ...this.#set, ...params };
    this.#connection.send({ type: "params", params: { ...params }, transition_s });
  }

  /**
   * Has the server do something once: `freeze`, `unfreeze`, `reset`, `on_air`, `bypass`, `black`.
   * @returns whether it went out.
   */
  command(command: string): boolean {
    return this.#connection.send({ type: "command", command });
  }

  /** The newest picture as a PNG; null before the first. */
  async snapshot(): Promise<Blob | null> {
    if (this.#shownSeq < 0) return null;
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }

  #address(): URL {
    const url = new URL("ws", this.#options.server ?? document.baseURI);
    url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
    const query = { session: this.#session, ticket: this.#ticket };
    for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
    return url;
  }

  #ready(ready: Ready): void {
    this.#session = ready.session;
    this.#ticket = ready.ticket ?? this.#ticket;
    this.#confirm(ready.params);
    const lost = Object.entries(this.#set).filter(([name, value]) => !isSame(ready.params[name], value));
    if (lost.length > 0) this.#connection.send({ type: "params", params: Object.fromEntries(lost) });
    this.#sender.connected(ready.window);
  }

  #receive(message: Exclude<ServerMessage, Ready>): void {
    switch (message.type) {
      case "params":
        this.#confirm(message.params);
        break;
      case "dropped":
        this.#sender.credit.settle(message.seqs);
        break;
      case "stats":
        this.#tell("stats", message);
        break;
      case "status":
        if (message.engine === "away") this.#tell("error", { kind: "engineAway", message: message.reason });
        break;
      case "safety":
        if (message.held) this.#tell("error", { kind: message.code, message: message.message });
        break;
      case "error":
        if (message.seq !== undefined) this.#sender.credit.settle([message.seq]);
        if (message.field !== undefined) {
          // It would be refused again with each connection.
          const { [message.field]: _, ...rest } = this.#set;
          this.#set = rest;
        }
        if (isHeld(message.code)) break; // `safety` has said so, and not for each frame
        this.#tell("error", { kind: message.code, message: message.message, field: message.field });
        break;
    }
    void this.#sender.pump();
  }

  #confirm(params: Params): void {
    this.#params = params;
    this.#tell("params", params);
  }

  async #show(frame: Frame): Promise<void> {
    this.#sender.credit.settleUpTo(frame.seq);
    void this.#sender.pump();
    const type = mimeTypes[frame.format];
    if (type === "") return; // what is on the canvas answers this one too
    // A picture that can't be decoded counts like a dropped one: the last good one stays.
    const bitmap = await createImageBitmap(new Blob([frame.payload], { type })).catch(() => null);
    const isNewest = frame.seq > this.#shownSeq;
    if (bitmap && isNewest) {
      this.#shownSeq = frame.seq;
      this.#screen.draw(bitmap, (frame.flags & Flag.stacked) !== 0);
    }
    bitmap?.close();
    if (!bitmap || !isNewest) return;
    const { canvas } = this;
    const { width, height } = canvas;
    const latency_ms = clock.now() - Number(frame.captured_us) / 1000;
    this.#tell("picture", { canvas, width, height, paramsVersion: frame.params_version, latency_ms });
  }

  #tell<E extends keyof ClientEvents>(event: E, news: Parameters<ClientEvents[E]>[0]): void {
    for (const listener of this.#listeners[event]) (listener as (news: Parameters<ClientEvents[E]>[0]) => void)(news);
  }
}

/** Makes a client and connects it. */
export function connect(options: ClientOptions = {}): RealtimeClient {
  return new RealtimeClient(options).start();
}

function isSame(a: Value | undefined, b: Value): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
