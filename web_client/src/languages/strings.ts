/** The words in use, and their shape, which the English ones have. Knows no language: the page loads the one that it speaks. */

import type { english } from "./en";

export type Strings = typeof english;
export type ProblemKind = keyof Strings["problems"];
export type NoteKind = keyof Strings["notes"];

/** The words in use. Read them while drawing, not before: they change with the language, and there are none at first. */
export let strings: Strings;

export function useStrings(spoken: Strings): void {
  strings = spoken;
}
