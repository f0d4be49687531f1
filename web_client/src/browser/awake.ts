/** Keeps the screen on while something runs without a hand on it. Doesn't know what runs. */

import { effect, type ReadonlySignal } from "@preact/signals";

export type RequestLock = () => Promise<{ release(): Promise<void> }>;

/**
 * @param isWanted whether the screen is to stay on.
 * @param isVisible a page that is hidden loses its lock, and asks again when it is back.
 * @param request asks the browser; rejects where it has no such thing, or saves its battery.
 * @returns what ends it.
 */
export function keepAwake(
  isWanted: ReadonlySignal<boolean>,
  isVisible: ReadonlySignal<boolean>,
  request: RequestLock,
): () => void {
  return effect(() => {
    if (!isWanted.value || !isVisible.value) return undefined;
    // Refused: the screen sleeps as it always does.
    const asked = request().catch(() => null);
    return () => void asked.then((lock) => lock?.release());
  });
}
