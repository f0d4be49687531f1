/** Where a session's pictures can go, and the address for each. Pure. */

/** In the order in which they are offered. */
export const outlets = ["overlay", "whep", "mjpeg", "whip"] as const;
export type Outlet = (typeof outlets)[number];

/** By which of the server's counts it is told how many watch; WHIP brings pictures, and nobody watches by it. */
export const counted: Readonly<Record<Outlet, string | null>> = {
  overlay: "websocket",
  whep: "whep",
  mjpeg: "mjpeg",
  whip: null,
};

export interface OutletOptions {
  /** Of the page, with the path that it is served under. */
  base: string;
  session: string;
  /** Of one who may watch; null where the server asks for none. An encoder brings its own. */
  ticket: string | null;
  /** The overlay's, without those that are as they are by themselves. */
  overlay: Readonly<Record<string, string>>;
}

/**
 * The remote's address for a phone.
 * @param base of the page. @param host by which the phone reaches the server. @param ticket of one who may control it.
 */
export function remoteAddress(base: string, host: string, session: string, ticket: string | null): string {
  const url = new URL("remote", base);
  url.hostname = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  url.search = new URLSearchParams({ session, ...(ticket && { ticket }) }).toString();
  url.hash = "";
  return url.href;
}

export function addressOf(outlet: Outlet, { base, session, ticket, overlay }: OutletOptions): string {
  const path = outlet === "mjpeg" ? `api/sessions/${session}/stream.mjpg` : outlet;
  const url = new URL(path, base);
  const query = {
    ...(outlet !== "mjpeg" && { session }),
    ...(outlet === "overlay" && overlay),
    ...(ticket && outlet !== "whip" && { ticket }),
  };
  url.search = new URLSearchParams(query).toString();
  url.hash = "";
  return url.href;
}
