/** Undo and redo over a list of things done, of bounded weight. Knows nothing about drawing. */

export interface Weighed {
  readonly bytes: number;
}

export interface History<T> {
  readonly done: readonly T[];
  readonly undone: readonly T[];
}

export function emptyHistory<T>(): History<T> {
  return { done: [], undone: [] };
}

/**
 * Doing something new forgets what was undone, and the oldest things that no longer fit.
 *
 * @param budget_bytes what all of it may weigh; the newest thing is kept whatever it weighs.
 */
export function push<T extends Weighed>(history: History<T>, item: T, budget_bytes: number): History<T> {
  let free_bytes = budget_bytes - item.bytes;
  let first = history.done.length;
  while (first > 0) {
    free_bytes -= (history.done[first - 1] as T).bytes;
    if (free_bytes < 0) break;
    first--;
  }
  return { done: [...history.done.slice(first), item], undone: [] };
}

/** Puts something in the place of the newest thing done: a slider that goes on moving is one thing. */
export function amend<T>(history: History<T>, item: T): History<T> {
  return { done: [...history.done.slice(0, -1), item], undone: [] };
}

export function undo<T>(history: History<T>): History<T> {
  const last = history.done.at(-1);
  if (last === undefined) return history;
  return { done: history.done.slice(0, -1), undone: [...history.undone, last] };
}

export function redo<T>(history: History<T>): History<T> {
  const next = history.undone.at(-1);
  if (next === undefined) return history;
  return { done: [...history.done, next], undone: history.undone.slice(0, -1) };
}
