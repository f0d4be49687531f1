/** The credit window: which frames are out without an answer. Knows neither sockets nor pictures. */

/** Keeps at most `size` frames unsettled, so that a slow uplink or engine can't build up a queue. */
export class CreditWindow {
  readonly #unsettled = new Set<number>();
  #size: number;

  constructor(size = 2) {
    this.#size = size;
  }

  /** Starts over, as after a new connection: nothing of the old one will be answered. */
  reset(size: number): void {
    this.#size = Math.max(1, size);
    this.#unsettled.clear();
  }

  get free(): boolean {
    return this.#unsettled.size < this.#size;
  }

  get unsettled(): number {
    return this.#unsettled.size;
  }

  sent(seq: number): void {
    this.#unsettled.add(seq);
  }

  /** A result with `seq` answers that frame and settles every lower one. */
  settleUpTo(seq: number): void {
    for (const waiting of this.#unsettled) if (waiting <= seq) this.#unsettled.delete(waiting);
  }

  /** These frames will get no result. */
  settle(seqs: Iterable<number>): void {
    for (const seq of seqs) this.#unsettled.delete(seq);
  }
}
