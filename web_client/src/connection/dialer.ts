/** Dials the transport that is wanted, and falls back from WebRTC to WebSocket where it may. Knows no page. */

import { type Signal, signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import { type Dial, OwnCode, type Transport, type TransportEvents } from "./connection";
import { type TransportChoice, transportFor, type TransportKind } from "./transport_choice";

export interface DialerOptions {
  clock: Clock;
  dials: Record<TransportKind, Dial>;
  choice: Signal<TransportChoice>;
  isLocal: boolean;
  isVideo: () => boolean;
  /** WebRTC was given up, and this is to be said. */
  onFallBack: () => void;
}

/** WebRTC that breaks off as often as this in a row is given up. */
const MAX_LOSSES = 2;
/** A connection that held for this long doesn't count as a loss. */
const GOOD_AFTER_MS = 10_000;

export class Dialer {
  readonly choice;
  /** The transport dialled last. */
  readonly inUse = signal<TransportKind>("websocket");

  readonly #options: DialerOptions;
  #losses = 0;
  #hasFailed = false;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.choice = options.choice;
  }

  get wanted(): TransportKind {
    const { isLocal, isVideo } = this.#options;
    return transportFor({ choice: this.choice.peek(), isVideo: isVideo(), isLocal, hasFailed: this.#hasFailed });
  }

  /** A choice begins anew: what failed before may be tried again. */
  choose(choice: TransportChoice): void {
    this.choice.value = choice;
    this.#losses = 0;
    this.#hasFailed = false;
  }

  readonly dial: Dial = (events) => {
    this.inUse.value = this.wanted;
    return this.inUse.peek() === "webrtc" ? this.#dialWebRtc(events) : this.#options.dials.websocket(events);
  };

  #dialWebRtc(events: TransportEvents): Transport {
    const { dials, clock } = this.#options;
    let upAt_ms: number | null = null;
    let transport = dials.webrtc({
      ...events,
      message(message) {
        upAt_ms ??= clock.now();
        events.message(message);
      },
      closed: (code, reason) => {
        if (upAt_ms !== null) this.#countLoss(clock.now() - upAt_ms);
        else if (this.#givesUp(code)) {
          // Within the same dial: to the connection nothing has gone wrong.
          this.inUse.value = "websocket";
          transport = dials.websocket(events);
          return;
        }
        events.closed(code, reason);
      },
    });
    return {
      send: (message) => transport.send(message),
      sendFrame: (bytes) => transport.sendFrame?.(bytes),
      measure: async () => transport.measure?.() ?? null,
      close: () => transport.close(),
    };
  }

  /** Whether the code says that WebRTC itself doesn't get through, and another way may be taken. */
  #givesUp(code: number): boolean {
    if (this.choice.peek() !== "automatic") return false;
    if (code !== OwnCode.unconnected && code !== OwnCode.unavailable) return false;
    this.#hasFailed = true;
    // A server that was told to do without is no failure to speak of.
    if (code === OwnCode.unconnected) this.#options.onFallBack();
    return true;
  }

  #countLoss(held_ms: number): void {
    this.#losses = held_ms >= GOOD_AFTER_MS ? 1 : this.#losses + 1;
    if (this.choice.peek() !== "automatic" || this.#losses < MAX_LOSSES || this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.onFallBack();
  }
}
