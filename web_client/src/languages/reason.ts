/** Why a request to the server failed, for people: in its own words, or that it can't be reached. Knows no request. */

import { strings } from "./strings";

/** A `fetch` that gets no answer at all rejects with a `TypeError`, in words of each browser's own. */
export function reasonOf(error: unknown): string {
  return error instanceof TypeError ? strings.problems.unreachable : (error as Error).message;
}
