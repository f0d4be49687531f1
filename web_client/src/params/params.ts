/** The params in force on the server, and over them the user's edits on their way. Knows no transport. */

import { computed, signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import type { Heard, Params, Value } from "../protocol";

/** More than sliders make in the half minute that can be rewound. */
const KEPT_VERSIONS = 4000;

/** Typing is sent when it pauses; sliding at once, but not more often than the screen shows it. */
export type Pace = "typing" | "sliding";

/**
 * Sets a field to what the user wants.
 * @param transition_s in which the server glides to it; without one, as the params' own `transition_s` says.
 */
export type Edit = (field: string, value: Value, pace: Pace, transition_s?: number) => void;

const TYPING_MS = 80;
/** An unanswered edit gives way to the server's value after this, which is longer than a slow line's round trip. */
const ANSWER_MS = 2000;

/** A value that is in force for a while in place of the user's own. */
interface Loan {
  own: Value;
  lent: Value;
}

interface Draft {
  value: Value;
  transition_s: number | undefined;
  sentAt_ms: number | null;
}

export interface ParamsStoreOptions {
  clock: Clock;
  /** Sends a merge patch; returns false while there is no connection. */
  send: (patch: Record<string, Value>, transition_s: number | undefined) => boolean;
}

export class ParamsStore {
  /** The server's params; null before the first connection. */
  readonly inForce = signal<Params | null>(null);
  /** Why the server refused a field, by the field's name. */
  readonly errors = signal<Readonly<Record<string, string>>>({});
  /** What of the prompts is heard otherwise than it is written. */
  readonly heard = signal<Heard["notes"]>([]);
  /** The params in view: the edits over those in force. */
  readonly shown = computed<Readonly<Record<string, Value>>>(() => {
    const shown: Record<string, Value> = { ...this.inForce.value };
    for (const [field, { own }] of this.#loans.value) shown[field] = own;
    for (const [field, draft] of this.#drafts.value) shown[field] = draft.value;
    return shown;
  });

  readonly #options: ParamsStoreOptions;
  readonly #drafts = signal<ReadonlyMap<string, Draft>>(new Map());
  readonly #loans = signal<ReadonlyMap<string, Loan>>(new Map());
  /** The params of the last versions, oldest first. */
  readonly #versions = new Map<number, Params>();
  #callOff: () => void = () => {};
  #isSliding = false;

  constructor(options: ParamsStoreOptions) {
    this.#options = options;
  }

  readonly edit: Edit = (field, value, pace, transition_s) => {
    this.#endLoan(field);
    this.#drafts.value = new Map(this.#drafts.peek()).set(field, { value, transition_s, sentAt_ms: null });
    this.#forgetError(field);
    const { clock } = this.#options;
    if (pace === "sliding" && !this.#isSliding) {
      this.#callOff();
      this.#isSliding = true;
      this.#callOff = clock.frame(this.flush);
    } else if (pace === "typing" && !this.#isSliding) {
      this.#callOff();
      this.#callOff = clock.after(TYPING_MS, this.flush);
    }
  };

  /** Sends all edits that weren't sent yet, as one patch for each transition. */
  readonly flush = (): void => {
    this.#callOff();
    this.#callOff = () => {};
    this.#isSliding = false;
    const { clock, send } = this.#options;
    const unsent = [...this.#drafts.peek()].filter(([, draft]) => draft.sentAt_ms === null);
    if (unsent.length === 0) return;
    const sentAt_ms = clock.now();
    const drafts = new Map(this.#drafts.peek());
    for (const transition_s of new Set(unsent.map(([, draft]) => draft.transition_s))) {
      const group = unsent.filter(([, draft]) => draft.transition_s === transition_s);
      if (!send(Object.fromEntries(group.map(([field, { value }]) => [field, value])), transition_s)) break;
      for (const [field, draft] of group) drafts.set(field, { ...draft, sentAt_ms });
    }
    this.#drafts.value = drafts;
    clock.after(ANSWER_MS, () => this.#dropAnswered());
  };

  /**
   * Puts a value in force without making it the user's: theirs stays in view, and comes back with `giveBack`.
   * @returns whether it did: not while an edit of the field is on its way or nothing can be sent.
   */
  lend(field: string, lent: Value): boolean {
    const own = this.shown.peek()[field];
    const isBusy = this.#drafts.peek().has(field) || this.#loans.peek().has(field);
    if (isBusy || own === undefined || isSame(own, lent) || !this.#options.send({ [field]: lent }, undefined)) return false;
    this.#loans.value = new Map(this.#loans.peek()).set(field, { own, lent });
    return true;
  }

  /** The user's own value again, unless they or somebody else have chosen another meanwhile. */
  giveBack(field: string): void {
    const loan = this.#loans.peek().get(field);
    if (!loan) return;
    this.edit(field, loan.own, "sliding");
    this.flush();
  }

  /** There is a new connection: what the old one may have swallowed is sent again. A patch may arrive twice. */
  resend(): void {
    const drafts = new Map(this.#drafts.peek());
    for (const [field, draft] of drafts) {
      if (!(field in this.errors.peek())) drafts.set(field, { ...draft, sentAt_ms: null });
    }
    this.#drafts.value = drafts;
    this.flush();
  }

  /** The server says what is in force. Edits that it doesn't know of yet stay in view. */
  confirm(params: Params): void {
    this.inForce.value = params;
    this.#versions.set(params.version, params);
    if (this.#versions.size > KEPT_VERSIONS) this.#versions.delete(this.#versions.keys().next().value ?? 0);
    for (const [field, { own, lent }] of this.#loans.peek()) {
      const value = params[field] as Value | undefined;
      if (!isSame(value, own) && !isSame(value, lent)) this.#endLoan(field);
    }
    this.#dropAnswered();
  }

  /** The params of a version: a picture names the one that made it. Of one that is not known, those in force. */
  ofVersion(version: number | null): Params | null {
    return this.#versions.get(version ?? -1) ?? this.inForce.peek();
  }

  /** The server refused a field. The edit stays in view, so that it can be mended. */
  refuse(field: string, message: string): void {
    this.errors.value = { ...this.errors.peek(), [field]: message };
  }

  /** Puts another value in the place of one that the server can't take as it is, on the same way to it. */
  amend(field: string, value: Value): void {
    this.edit(field, value, "sliding", this.#drafts.peek().get(field)?.transition_s);
  }

  /** The user left a field: what waits is sent, and what was refused gives way to the truth. */
  leave(field: string): void {
    if (this.#drafts.peek().get(field)?.sentAt_ms === null) this.flush();
    if (!(field in this.errors.peek())) return;
    this.#drop((name) => name === field);
    this.#forgetError(field);
  }

  #endLoan(field: string): void {
    const loans = new Map(this.#loans.peek());
    if (loans.delete(field)) this.#loans.value = loans;
  }

  #dropAnswered(): void {
    const now_ms = this.#options.clock.now();
    const inForce: Readonly<Record<string, Value>> = this.inForce.peek() ?? {};
    this.#drop((field, { value, sentAt_ms }) => {
      if (sentAt_ms === null) return false;
      if (field in this.errors.peek()) return false;
      return isSame(value, inForce[field]) || now_ms - sentAt_ms >= ANSWER_MS;
    });
  }

  #drop(isDropped: (field: string, draft: Draft) => boolean): void {
    const kept = [...this.#drafts.peek()].filter(([field, draft]) => !isDropped(field, draft));
    if (kept.length < this.#drafts.peek().size) this.#drafts.value = new Map(kept);
  }

  #forgetError(field: string): void {
    const { [field]: forgotten, ...rest } = this.errors.peek();
    if (forgotten !== undefined) this.errors.value = rest;
  }
}

function isSame(a: Value | undefined, b: Value | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The fields in which two params differ, apart from their version. */
export function differences(before: Params, after: Params): Record<string, Value> {
  const entries = Object.entries(before).filter(([field, value]) => {
    return field !== "version" && field in after && !isSame(value, after[field]);
  });
  return Object.fromEntries(entries);
}
