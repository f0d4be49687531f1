/** The interface of everything that sends a source's pictures. Knows no transport. */

import type { Source } from "../sources/source";

export interface Sender {
  use(source: Source | null): void;
  /** There is a new connection, which takes `window` unanswered frames where it counts them. */
  connected(window: number): void;
  /** There is a new picture, or an old one is wanted again. */
  readonly changed: () => void;
}
