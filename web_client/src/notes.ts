/** Shows for a while what was done, with the way back where there is one. Holds no sentences. */

import { signal } from "@preact/signals";
import type { Clock } from "./browser/clock";
import type { NoteKind } from "./languages/strings";

export interface Note {
  kind: NoteKind;
  undo?: () => void;
  /** It is a question: told whether the answer is yes. */
  answer?: (isYes: boolean) => void;
}

const SHOWN_MS = 8000;

export class Notes {
  /** The note on the page; null where there is none. */
  readonly current = signal<Note | null>(null);

  /** The question on the page, which a note doesn't take the place of. */
  readonly question = signal<Note | null>(null);

  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Shows a note for some seconds, in place of the one before. */
  say(kind: NoteKind, undo?: () => void): void {
    const note = undo ? { kind, undo } : { kind };
    this.current.value = note;
    this.#clock.after(SHOWN_MS, () => {
      if (this.current.peek() === note) this.current.value = null;
    });
  }

  /** Shows a note until it is dismissed. */
  keep(kind: NoteKind): void {
    this.current.value = { kind };
  }

  /** Asks something until it is answered. */
  ask(kind: NoteKind, answer: (isYes: boolean) => void): void {
    this.question.value = {
      kind,
      answer: (isYes) => {
        this.question.value = null;
        answer(isYes);
      },
    };
  }

  dismiss(): void {
    this.current.value = null;
  }
}
