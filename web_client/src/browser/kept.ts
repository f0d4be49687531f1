/** Signals whose value this browser keeps from one visit to the next. Knows no key and no meaning of its own. */

import { effect, type Signal, signal } from "@preact/signals";

/**
 * A signal with the value that was kept under `key`, written back whenever it changes.
 * @param read makes a value of what was kept; null where that is none, since anyone may have written it.
 */
export function kept<T>(key: string, read: (value: unknown) => T | null, fallback: T): Signal<T> {
  const name = `realtime.${key}`;
  const value = signal(read(parsed(localStorage.getItem(name))) ?? fallback);
  let isFirst = true;
  effect(() => {
    const text = JSON.stringify(value.value);
    if (!isFirst) store(name, text);
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

function store(name: string, text: string): void {
  try {
    localStorage.setItem(name, text);
  } catch (error) {
    // Full, or forbidden: what was chosen lasts as long as the page.
    console.warn(`${name} is not kept:`, error);
  }
}
