/** The requests for large stills. Doesn't know what is in them. */

import { beside } from "../browser/beside";
import { detailOf } from "./requests";

export interface StillProgress {
  done: number;
  of: number;
}

/** A session's picture restyled at a multiple of its size, as a PNG. Rejects with the server's reason. */
export async function makeStill(session: string, picture: Blob, scale: number, abort: AbortSignal): Promise<Blob> {
  const url = beside(`api/sessions/${session}/still`, { scale: String(scale) });
  const response = await fetch(url, { method: "POST", body: picture, signal: abort });
  if (!response.ok) throw new Error(await detailOf(response));
  return response.blob();
}

/** How far the still of a session is; null where none is being made, or nobody knows. */
export async function fetchStillProgress(session: string): Promise<StillProgress | null> {
  const response = await fetch(beside(`api/sessions/${session}/still`), { cache: "no-store" });
  return response.ok ? ((await response.json()) as StillProgress | null) : null;
}
