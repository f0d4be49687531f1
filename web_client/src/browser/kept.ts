/**
 * Keeps texts and values in this browser, from one visit to the next or as long as the tab lives. Never throws: where
 * storage is blocked, missing or full, what it is given lasts as long as the page. Knows no key and no meaning of its own.
 */

import { effect, type Signal, signal } from "@preact/signals";

/** Names of what could not be read or written when it was last tried. */
export const unkept = signal<ReadonlySet<string>>(new Set());

/** Until the browser is closed and beyond, or until the tab is. */
export type Lasting = "localStorage" | "sessionStorage";

/** What the browser would not take. */
const onThisPage = new Map<string, string>();

/** Notes whether the browser keeps something. */
export function noteKept(name: string, error?: unknown): void {
  const names = new Set(unkept.peek());
  if (error === undefined ? !names.delete(name) : names.has(name)) return;
  if (error !== undefined) {
    console.warn(`${name} is not kept:`, error);
    names.add(name);
  }
  unkept.value = names;
}

/** What was kept under a name; null where there is nothing. */
export function recall(name: string, where: Lasting): string | null {
  return onThisPage.get(name) ?? attempt(name, () => globalThis[where].getItem(`realtime.${name}`));
}

export function remember(name: string, text: string, where: Lasting): void {
  onThisPage.set(name, text);
  attempt(name, () => {
    globalThis[where].setItem(`realtime.${name}`, text);
    onThisPage.delete(name);
  });
}

/**
 * A signal with the value that was kept under `key`, written back whenever it changes.
 * @param read makes a value of what was kept; null where that is none, since anyone may have written it.
 */
export function kept<T>(key: string, read: (value: unknown) => T | null, fallback: T): Signal<T> {
  const value = signal(read(parsed(recall(key, "localStorage"))) ?? fallback);
  let isFirst = true;
  effect(() => {
    const text = JSON.stringify(value.value);
    if (!isFirst) remember(key, text, "localStorage");
    isFirst = false;
  });
  return value;
}

/** Reads one of `options`. */
export function oneOf<T extends string>(options: readonly T[]): (value: unknown) => T | null {
  return (value) => options.find((option) => option === value) ?? null;
}

export function flag(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}

export function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Reads a list of texts. */
export function texts(value: unknown): string[] | null {
  return Array.isArray(value) && value.every((each) => typeof each === "string") ? value : null;
}

/** Reads a number within bounds. */
export function within(min: number, max: number): (value: unknown) => number | null {
  return (value) => (typeof value === "number" && value >= min && value <= max ? value : null);
}

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** Does what browsers forbid in many ways; even naming a storage may throw. Null where it did. */
function attempt<T>(name: string, action: () => T): T | null {
  try {
    const result = action();
    noteKept(name);
    return result;
  } catch (error) {
    noteKept(name, error);
    return null;
  }
}
