/** The one error path: whatever fails is reported here, and shown as a sentence that says what to do. */

import { signal } from "@preact/signals";
import type { ProblemKind } from "./languages/strings";

/** Where a problem belongs. A scope holds one problem, and clears it when it works again. */
export type Scope = "connection" | "source" | "params" | "output";

export interface Problem {
  kind: ProblemKind;
  /** What the other side said about it, in its own words. */
  detail: string;
}

export class Problems {
  readonly current = signal<ReadonlyMap<Scope, Problem>>(new Map());

  report(scope: Scope, kind: ProblemKind, detail = ""): void {
    this.current.value = new Map(this.current.value).set(scope, { kind, detail });
  }

  clear(scope: Scope): void {
    if (!this.current.value.has(scope)) return;
    const rest = new Map(this.current.value);
    rest.delete(scope);
    this.current.value = rest;
  }
}
