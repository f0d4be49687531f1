/** Holds the one connection to the server: its state, its retries, its end. Knows neither pictures nor the page. */

import { type Signal, signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import type { ProblemKind } from "../languages/strings";
import type { Problems } from "../problems";
import {
  type ClientMessage,
  type Closed,
  CloseCode,
  type Frame,
  PROTOCOL_VERSION,
  type Ready,
  type ServerMessage,
} from "../protocol";
import type { LinkMeasurements } from "./link";
import type { Verdict } from "./requests";

export type Status =
  | { state: "idle" }
  | { state: "connecting" }
  | { state: "loading"; stage: string; percent: number | null }
  | { state: "queued"; position: number; size: number }
  | { state: "open" }
  | { state: "retrying"; at_ms: number }
  | { state: "closed" };

/** One way to the server. Pictures travel as frames, one message each, or as video whose track the dial was given. */
export interface Transport {
  send(message: ClientMessage): void;
  /** Only where pictures travel as frames. */
  sendFrame?(bytes: ArrayBuffer): void;
  /** Only where they travel as video: nothing in it tells how long it was under way. */
  measure?(): Promise<LinkMeasurements | null>;
  close(): void;
}

export interface TransportEvents {
  message(message: ServerMessage): void;
  frame(frame: Frame): void;
  video(stream: MediaStream): void;
  closed(code: number, reason: string): void;
}

export type Dial = (events: TransportEvents) => Transport;

export interface ConnectionOptions {
  dial: Dial;
  clock: Clock;
  problems: Problems;
  /** A number in [0, 1): spreads the retries of many clients. */
  random: () => number;
  /** Asks by plain HTTP why there is no connection: browsers hide the answer to a WebSocket that failed. */
  askWhy: () => Promise<Verdict>;
  onReady: (ready: Ready) => void;
  onMessage: (message: Exclude<ServerMessage, Ready | Closed>) => void;
  onFrame: (frame: Frame) => void;
  onVideo: (stream: MediaStream) => void;
  /** A transport is about to be closed: the last moment at which its video can be seen. */
  onEnd: () => void;
}

/** Codes for ends that transports report themselves; no server sends these. */
export const OwnCode = {
  /** Nobody closed it; browsers give the same code for a WebSocket. */
  lost: 1006,
  /** The server answered, but nothing gets through between here and there. */
  unconnected: 4003,
  /** This server or this browser doesn't have this transport. */
  unavailable: 4004,
  /** The server refuses this page, whatever token it has. */
  denied: 4005,
} as const;

const FIRST_MESSAGE_MS = 10_000;
/** `stats` come once a second, so this much silence means a dead connection. */
const SILENCE_MS = 15_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
const SURE_AFTER_RETRIES = 3;
/** A connection that held this long was a good one: the next retries start from the shortest delay again. */
const GOOD_AFTER_MS = 5_000;

interface Ending {
  problem: ProblemKind;
  /** Shortest wait before the next try; null: trying again can't help. */
  retry_ms: number | null;
}

const endings = new Map<number, Ending>([
  [CloseCode.done, { problem: "ended", retry_ms: null }],
  [CloseCode.goingAway, { problem: "goingAway", retry_ms: 0 }],
  [CloseCode.protocol, { problem: "version", retry_ms: null }],
  [CloseCode.refused, { problem: "refused", retry_ms: null }],
  [CloseCode.tooBig, { problem: "tooBig", retry_ms: null }],
  [CloseCode.engineFailed, { problem: "engineFailed", retry_ms: 3_000 }],
  [CloseCode.full, { problem: "full", retry_ms: 5_000 }],
  [OwnCode.unconnected, { problem: "webrtcBlocked", retry_ms: 0 }],
  [OwnCode.denied, { problem: "denied", retry_ms: null }],
  [OwnCode.unavailable, { problem: "webrtcOff", retry_ms: 5_000 }],
]);

export class Connection {
  readonly status: Signal<Status> = signal({ state: "idle" });

  readonly #options: ConnectionOptions;
  #transport: Transport | null = null;
  /** Counts the dials: late events of an older transport are told by it and ignored. */
  #dials = 0;
  #retries = 0;
  #openedAt_ms: number | null = null;
  #callOff: () => void = () => {};

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Connects, or tries again at once where a retry is waiting. Does nothing on a live connection. */
  start(): void {
    if (this.#transport) return;
    this.#callOff();
    this.status.value = { state: "connecting" };
    const dial = ++this.#dials;
    const current = (handle: () => void) => {
      if (dial === this.#dials) handle();
    };
    this.#transport = this.#options.dial({
      message: (message) => current(() => this.#receive(message)),
      frame: (frame) =>
        current(() => {
          this.#expectWithin(SILENCE_MS);
          this.#options.onFrame(frame);
        }),
      video: (stream) => current(() => this.#options.onVideo(stream)),
      closed: (code, reason) => current(() => this.#closed(code, reason)),
    });
    this.#expectWithin(FIRST_MESSAGE_MS);
  }

  /** Dials again where there is a connection or will be one: another transport is wanted, and nothing is wrong. */
  redial(): void {
    const { state } = this.status.peek();
    if (state === "idle" || state === "closed") return;
    this.stop();
    this.#retries = 0;
    this.start();
  }

  /** Ends the connection for good, until `start`. */
  stop(): void {
    this.#tearDown();
    this.#options.problems.clear("connection");
    this.status.value = { state: "idle" };
  }

  get isOpen(): boolean {
    return this.status.peek().state === "open";
  }

  /** Returns whether the message went out; there is no queue for a closed connection. */
  send(message: ClientMessage): boolean {
    if (!this.isOpen) return false;
    this.#transport?.send(message);
    return true;
  }

  sendFrame(bytes: ArrayBuffer): void {
    if (this.isOpen) this.#transport?.sendFrame?.(bytes);
  }

  /** The link's measurements; null where frames carry their times. */
  async measure(): Promise<LinkMeasurements | null> {
    return (await this.#transport?.measure?.()) ?? null;
  }

  #receive(message: ServerMessage): void {
    if (message.type === "ready") {
      this.#becomeOpen(message);
    } else if (message.type === "closed") {
      this.#closed(message.code, message.reason);
    } else if (message.type === "loading") {
      this.#isHeard();
      this.status.value = { state: "loading", stage: message.stage, percent: message.percent };
    } else if (message.type === "queued") {
      this.#isHeard();
      this.status.value = { state: "queued", position: message.position, size: message.size };
    } else {
      if (this.isOpen) this.#expectWithin(SILENCE_MS);
      this.#options.onMessage(message);
    }
  }

  /** The server has answered, and may take its time: whatever kept us from it is over. */
  #isHeard(): void {
    this.#callOff();
    this.#options.problems.clear("connection");
  }

  #becomeOpen(ready: Ready): void {
    if (ready.protocol !== PROTOCOL_VERSION) {
      this.#fail({ problem: "version", retry_ms: null }, "");
      return;
    }
    this.#openedAt_ms = this.#options.clock.now();
    this.#options.problems.clear("connection");
    this.#expectWithin(SILENCE_MS);
    this.status.value = { state: "open" };
    this.#options.onReady(ready);
  }

  #closed(code: number, reason: string): void {
    const unheard = this.status.peek().state === "connecting";
    this.#fail(endings.get(code) ?? { problem: unheard ? "unreachable" : "lost", retry_ms: 0 }, reason);
    if (!endings.has(code) && unheard) void this.#askWhy();
  }

  /** Every failure of the connection ends here: tear down, say why, and schedule one retry or give up. */
  #fail(ending: Ending, detail: string): void {
    const { clock, problems, random } = this.#options;
    const wasGood = this.#openedAt_ms !== null && clock.now() - this.#openedAt_ms >= GOOD_AFTER_MS;
    this.#tearDown();
    problems.report("connection", ending.problem, detail);
    if (ending.retry_ms === null) {
      this.status.value = { state: "closed" };
      return;
    }
    this.#retries = wasGood ? 0 : this.#retries;
    const backOff_ms = Math.min(FIRST_RETRY_MS * 2 ** this.#retries++, LAST_RETRY_MS) * (0.75 + random() / 2);
    const wait_ms = Math.max(backOff_ms, ending.retry_ms);
    this.status.value = { state: "retrying", at_ms: clock.now() + wait_ms };
    this.#callOff = clock.after(wait_ms, () => this.start());
  }

  async #askWhy(): Promise<void> {
    const dial = this.#dials;
    const { status, detail } = await this.#options.askWhy();
    if (dial !== this.#dials) return;
    const { problems } = this.#options;
    if (status === 401) this.#closed(CloseCode.refused, detail);
    else if (status === 403 || status === 421) this.#closed(OwnCode.denied, detail);
    // A proxy answers for a server that is gone.
    else if (status >= 500) problems.report("connection", "unreachable", detail);
    // Not at once: a server that has just come back answers this as well.
    else if (status > 0 && this.#retries >= SURE_AFTER_RETRIES) problems.report("connection", "noWebSocket");
  }

  #expectWithin(ms: number): void {
    this.#callOff();
    this.#callOff = this.#options.clock.after(ms, () => {
      this.#fail({ problem: this.isOpen ? "lost" : "unreachable", retry_ms: 0 }, "");
    });
  }

  #tearDown(): void {
    this.#callOff();
    this.#callOff = () => {};
    this.#dials++;
    this.#openedAt_ms = null;
    if (this.#transport) this.#options.onEnd();
    this.#transport?.close();
    this.#transport = null;
  }
}
