/** The plain HTTP requests beside the connection. Doesn't interpret the answers. */

import { beside } from "../browser/beside";

/** An answer's status, and the server's own words where it gave any; 0 where there is no answer. */
export interface Verdict {
  status: number;
  detail: string;
}

/**
 * What plain HTTP says where a WebSocket failed: browsers hide the answer to that.
 * By POST, which nothing answers here: with a GET browsers name no origin, and that may be what is refused.
 */
export async function askWhy(): Promise<Verdict> {
  try {
    const response = await fetch(beside("api/config"), { method: "POST" });
    return { status: response.status, detail: await detailOf(response) };
  } catch {
    return { status: 0, detail: "" };
  }
}

/** What an answer that is a refusal says of the reason. */
export async function detailOf(response: Response): Promise<string> {
  try {
    const { detail } = (await response.json()) as { detail?: unknown };
    if (typeof detail === "string") return detail;
  } catch {
    // A proxy's page, not the server's word.
  }
  return `${response.status} ${response.statusText}`.trim();
}

/** The JSON schema of the params. Rejects where there is none. */
export async function fetchSchema(): Promise<unknown> {
  const response = await fetch(beside("api/params/schema"));
  if (!response.ok) throw new Error(await detailOf(response));
  return response.json();
}

/** Most pixels that a picture may be asked to have; null where the server doesn't say. Rejects where it doesn't answer. */
export async function fetchMaxPixels(): Promise<number | null> {
  const response = await fetch(beside("api/config"));
  if (!response.ok) throw new Error(await detailOf(response));
  const { limits } = (await response.json()) as { limits?: { max_output_pixels?: number } };
  return limits?.max_output_pixels ?? null;
}

/** Ends a session at once: left alone, the server would keep its place for a while. */
export async function endSession(name: string): Promise<void> {
  await fetch(beside(`api/sessions/${name}`), { method: "DELETE" });
}

/** What the server sends of a session, to an address of its configuration. */
export interface Output {
  /** Its number. */
  output: number;
  /** Without what is secret in it. */
  address: string;
  state: string;
  /** Why nothing is sent, in the server's words. */
  problem: string;
}

/** Where a session goes: how many watch it, by each way, and what the server sends. */
export interface Whereabouts {
  watching: Readonly<Record<string, number>>;
  outputs: readonly Output[];
}

/** Rejects where there is no session. */
export async function fetchWhereabouts(name: string): Promise<Whereabouts> {
  const response = await fetch(beside(`api/sessions/${name}`), { cache: "no-store" });
  if (!response.ok) throw new Error(await detailOf(response));
  return (await response.json()) as Whereabouts;
}

/** Has the server send a session to an output, or no more. Rejects where it doesn't. */
export async function switchOutput(session: string, output: number, verb: "start" | "stop"): Promise<void> {
  const response = await fetch(beside(`api/sessions/${session}/outputs/${output}/${verb}`), { method: "POST" });
  if (!response.ok) throw new Error(await detailOf(response));
}

/** Whether whoever comes without token and ticket is sent away. */
export async function asksForTicket(): Promise<boolean> {
  const response = await fetch(beside("api/config"));
  if (!response.ok) throw new Error(await detailOf(response));
  return ((await response.json()) as { asks_for_token?: boolean }).asks_for_token === true;
}

/** A ticket for somebody else to this session. Rejects where there is none. */
export async function giveTicket(role: "viewer" | "controller", session: string): Promise<string> {
  const response = await fetch(beside("api/tickets"), { method: "POST", body: JSON.stringify({ role, session }) });
  if (!response.ok) throw new Error(await detailOf(response));
  return ((await response.json()) as { ticket: string }).ticket;
}

/** Gives a session its pads. Rejects with the server's reason. */
export async function putPads(session: string, pads: readonly unknown[]): Promise<void> {
  const response = await fetch(beside(`api/sessions/${session}/pads`), { method: "PUT", body: JSON.stringify({ pads }) });
  if (!response.ok) throw new Error(await detailOf(response));
}

/** A picture of a text's QR code, as SVG. Rejects where there is none. */
export async function fetchCode(text: string): Promise<Blob> {
  const response = await fetch(beside("api/qr"), { method: "POST", body: text });
  if (!response.ok) throw new Error(await detailOf(response));
  return response.blob();
}

/** The addresses by which other machines reach the server; none where none can. Rejects where it doesn't answer. */
export async function fetchNetwork(): Promise<readonly string[]> {
  const response = await fetch(beside("api/config"));
  if (!response.ok) throw new Error(await detailOf(response));
  return ((await response.json()) as { network?: string[] }).network ?? [];
}

/** Brings a picture that prompts may name: its id. Rejects with the server's reason. */
export async function bringPicture(picture: Blob): Promise<string> {
  const response = await fetch(beside("api/pictures"), { method: "PUT", body: picture });
  if (!response.ok) throw new Error(await detailOf(response));
  return ((await response.json()) as { id: string }).id;
}

/** A picture that was brought; null where the server has it no more. */
export async function fetchPicture(id: string): Promise<Blob | null> {
  const response = await fetch(beside(`api/pictures/${id}`), { cache: "no-store" });
  return response.ok ? response.blob() : null;
}
