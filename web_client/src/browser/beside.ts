/** Addresses beside this page, with the ticket that it has. Not a cookie: all pages of a host share those. */

let ticket: string | null = null;

/** Has all requests bring this ticket from now on; null: none. */
export function bringTicket(text: string | null): void {
  ticket = text;
}

/** An address beside this page, whatever path prefix it is served under. */
export function beside(path: string, query: Record<string, string> = {}): URL {
  const url = new URL(path, document.baseURI);
  url.search = new URLSearchParams({ ...query, ...(ticket && { ticket }) }).toString();
  return url;
}

/** The address of `/ws` beside this page. */
export function socketBeside(query: Record<string, string>): URL {
  const url = beside("ws", query);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** A WebRTC peer of ours: where it is said to be, but beside this page, under whatever prefix. */
export function peerBeside(kind: "rtc" | "whep", answer: Headers): URL {
  return beside(`${kind}/${answer.get("location")?.split("/").at(-1) ?? ""}`);
}
