/** Keeps the session's name for as long as the tab lives, so that a reload comes back to the same params. */

import { recall, remember } from "../browser/kept";

const KEY = "session";

export function sessionName(): string {
  const known = recall(KEY, "sessionStorage");
  if (known) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  const name = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  keepSessionName(name);
  return name;
}

/** Keeps the name that the server gave, where it chose another one. */
export function keepSessionName(name: string): void {
  remember(KEY, name, "sessionStorage");
}
