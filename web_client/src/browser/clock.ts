/** Time as a dependency: the browser's own, or a test's. */

export interface Clock {
  /** Milliseconds, never going back. */
  now(): number;
  /** Calls `action` once after `ms`; the returned function calls it off. */
  after(ms: number, action: () => void): () => void;
  /** Calls `action` once before the next repaint; the returned function calls it off. */
  frame(action: () => void): () => void;
}

export const browserClock: Clock = {
  now: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
  frame(action) {
    const handle = requestAnimationFrame(action);
    return () => cancelAnimationFrame(handle);
  },
};
