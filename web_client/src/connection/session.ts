/**
 * The session's name, and the ticket of who has one: for as long as the tab lives, so that a reload comes back to the same
 * params, and the name from visit to visit, so that an address in OBS goes on to show this browser's pictures.
 */

import { bringTicket } from "../browser/beside";
import { recall, remember } from "../browser/kept";

const KEY = "session";
const TICKET = "ticket";
/** The name that this browser keeps, for one tab at a time. */
const KEPT_NAME = "sessionName";

export function sessionName(): string {
  const known = recall(KEY, "sessionStorage");
  if (known) return known;
  const name = newSessionName();
  remember(KEY, name, "sessionStorage");
  return name;
}

export function newSessionName(): string {
  return hexOf(12);
}

/**
 * Gives a tab without a name the one that this browser keeps, where no other tab has it. A tab that came with a ticket has
 * none, nor has one at an address without locks (neither https nor localhost): `sessionName` makes one up.
 */
export async function claimSession(locks: LockManager | undefined): Promise<void> {
  if (!locks || recall(TICKET, "sessionStorage")) return;
  const own = recall(KEY, "sessionStorage");
  const name = own ?? recall(KEPT_NAME, "localStorage") ?? `studio-${hexOf(3)}`;
  const isFree = await held(locks, name);
  if (isFree && !own) keepName(name);
}

/** Has the tab and the browser keep a name that somebody chose. */
export function renameSession(name: string, locks: LockManager | undefined): void {
  keepName(name);
  if (locks) void held(locks, name);
}

/** What a server takes as a name, made of what somebody typed; empty where nothing is left of it. */
export function nameFrom(typed: string): string {
  return typed
    .trim()
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-")
    .slice(0, 64);
}

/** Keeps what the server gave: the name, where it chose another one, and the ticket of who owns the session. */
export function keepSession(name: string, ticket?: string): void {
  remember(KEY, name, "sessionStorage");
  if (!ticket) return;
  remember(TICKET, ticket, "sessionStorage");
  bringTicket(ticket);
}

/** Takes a ticket, and the session that it is for, out of this page's address; without one the tab keeps its own. */
export function takeTicket(): void {
  const url = new URL(location.href);
  for (const name of [TICKET, KEY]) {
    const text = url.searchParams.get(name);
    if (text) remember(name, text, "sessionStorage");
    url.searchParams.delete(name);
  }
  if (url.href !== location.href) history.replaceState(null, "", url);
  bringTicket(recall(TICKET, "sessionStorage"));
}

function keepName(name: string): void {
  remember(KEY, name, "sessionStorage");
  remember(KEPT_NAME, name, "localStorage");
}

/** Holds a name as long as the tab lives; resolves with whether no other tab had it. */
function held(locks: LockManager, name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const hold = (lock: Lock | null): Promise<void> | undefined => {
      resolve(lock !== null);
      return lock ? new Promise<void>(() => {}) : undefined;
    };
    locks.request(`realtime.${name}`, { ifAvailable: true }, hold).catch(() => resolve(false));
  });
}

function hexOf(count: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(count));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
