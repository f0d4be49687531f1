/** Ticks while the page is hidden: browsers tell it of no pictures then, and slow its timers to one a second or less; a
 * worker's go on. Doesn't know what they are for. */

/** That of a camera's pictures. */
export const TICK_MS = 33;

const actions = new Set<() => void>();
let worker: Worker | null = null;
let isListening = false;

/**
 * Calls `action` at every tick.
 * @returns what ends it.
 */
export function onHiddenTick(action: () => void): () => void {
  actions.add(action);
  if (!isListening) document.addEventListener("visibilitychange", startWhereWanted);
  isListening = true;
  startWhereWanted();
  return () => void actions.delete(action);
}

function startWhereWanted(): void {
  if (!document.hidden || actions.size === 0 || worker) return;
  worker = new Worker(new URL("./hidden_ticks.worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = () => {
    if (!document.hidden || actions.size === 0) stop();
    else for (const action of [...actions]) action();
  };
  worker.postMessage(TICK_MS);
}

function stop(): void {
  worker?.terminate();
  worker = null;
}
