/** The one error path: whatever fails is reported here, and shown until it works again. Holds no sentences. */

import { signal } from "@preact/signals";
import type { Clock } from "./browser/clock";
import type { ProblemKind } from "./languages/strings";

/** The part that a problem belongs to. It holds one problem, and clears it when it works again. */
export type Scope = "connection" | "engine" | "safety" | "storage" | "source" | "secondSource" | "sending" | "params" | "schema" | "output";

export interface Problem {
  kind: ProblemKind;
  /** The other side's own words about it. */
  detail: string;
}

const MENTIONED_MS = 8000;

export class Problems {
  readonly current = signal<ReadonlyMap<Scope, Problem>>(new Map());

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  report(scope: Scope, kind: ProblemKind, detail = ""): void {
    this.current.value = new Map(this.current.value).set(scope, { kind, detail });
  }

  /** Reports something that was refused once, in the output's scope, and clears that after some seconds. */
  mention(kind: ProblemKind, detail = ""): void {
    this.report("output", kind, detail);
    const mentioned = this.current.peek().get("output");
    this.#clock.after(MENTIONED_MS, () => {
      if (this.current.peek().get("output") === mentioned) this.clear("output");
    });
  }

  clear(scope: Scope): void {
    if (!this.current.value.has(scope)) return;
    const rest = new Map(this.current.value);
    rest.delete(scope);
    this.current.value = rest;
  }
}
