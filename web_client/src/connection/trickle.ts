/** Gathers our ICE candidates and sends them in batches, one after the other. Knows neither HTTP nor peers. */

import type { Clock } from "../browser/clock";

/** Most candidates come within a few milliseconds of each other; those of a TURN server later. */
const BATCH_MS = 50;

export type SendCandidates = (candidates: string[], isLast: boolean) => Promise<void>;

export class Trickle {
  readonly #clock: Clock;
  #waiting: string[] = [];
  #isComplete = false;
  #isDone = false;
  #isSending = false;
  #send: SendCandidates | null = null;
  #callOff: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes the next candidate; null says that there are no more. */
  add(candidate: string | null): void {
    if (candidate === null) this.#isComplete = true;
    else this.#waiting.push(candidate);
    this.#callOff();
    this.#callOff = this.#isComplete ? () => {} : this.#clock.after(BATCH_MS, () => void this.#flush());
    if (this.#isComplete) void this.#flush();
  }

  /** From now on there is somebody to send them to. */
  open(send: SendCandidates): void {
    this.#send = send;
    void this.#flush();
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#callOff();
    this.#send = null;
  }

  async #flush(): Promise<void> {
    if (!this.#send || this.#isSending || this.#isDone) return;
    if (this.#waiting.length === 0 && !this.#isComplete) return;
    const candidates = this.#waiting;
    this.#waiting = [];
    this.#isDone = this.#isComplete;
    this.#isSending = true;
    await this.#send(candidates, this.#isDone);
    this.#isSending = false;
    await this.#flush();
  }
}
