/** What goes wrong, in a kind for programs and a sentence for people. */

import type { ClientError } from "./types";

const messages: Readonly<Record<string, string>> = {
  unreachable: "the server can't be reached: is it running, and does it allow this page's origin?",
  lost: "the connection was lost; it is tried again",
  goingAway: "the server is restarting; it is tried again",
  refused: "the server wants a token or ticket, or another one",
  full: "the server is full; it is tried again",
  engineFailed: "the engine failed; it is tried again",
  ended: "the session was ended",
  tooBig: "a message was too big for the server",
  version: "server and client speak different versions of the protocol: update the older one",
};

export function errorOf(kind: string, detail: string): ClientError {
  const message = messages[kind] ?? kind;
  return { kind, message: detail ? `${message} (${detail})` : message };
}
