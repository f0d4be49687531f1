/** Asks for what the nets are shown. Doesn't know what they are for. */

import { beside } from "../browser/beside";

/** A small picture of the newest frame's hint; null where there is none yet. */
export async function fetchHint(session: string, net: string, source: string): Promise<Blob | null> {
  const response = await fetch(beside(`api/sessions/${session}/hint`, { net, source }), { cache: "no-store" });
  return response.status === 200 ? response.blob() : null;
}
