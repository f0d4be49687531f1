/** A clock whose hands the test turns. */

import type { Clock } from "../src/browser/clock";

export class FakeClock implements Clock {
  #now_ms = 0;
  #waiting: { at_ms: number; action: () => void }[] = [];

  now(): number {
    return this.#now_ms;
  }

  after(ms: number, action: () => void): () => void {
    const entry = { at_ms: this.#now_ms + ms, action };
    this.#waiting.push(entry);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== entry);
    };
  }

  frame(action: () => void): () => void {
    return this.after(16, action);
  }

  /** Lets time pass, and everything happen that falls due, in its order. */
  pass(ms: number): void {
    const until_ms = this.#now_ms + ms;
    for (;;) {
      const due = this.#waiting.filter(({ at_ms }) => at_ms <= until_ms).sort((a, b) => a.at_ms - b.at_ms)[0];
      if (!due) break;
      this.#waiting = this.#waiting.filter((entry) => entry !== due);
      this.#now_ms = due.at_ms;
      due.action();
    }
    this.#now_ms = until_ms;
  }
}

/** Lets everything run that waits for settled promises. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
