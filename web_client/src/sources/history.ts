/** Undo and redo over a list of things done. Knows nothing about drawing. */

export interface History<T> {
  readonly done: readonly T[];
  readonly undone: readonly T[];
}

export function emptyHistory<T>(): History<T> {
  return { done: [], undone: [] };
}

/** Doing something new forgets what was undone. */
export function push<T>(history: History<T>, item: T): History<T> {
  return { done: [...history.done, item], undone: [] };
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
