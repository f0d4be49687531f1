/** Which transport suits: the user's choice, or the one that fits the circumstances. Pure, apart from the storage. */

export type TransportKind = "websocket" | "webrtc";
export type Choice = "automatic" | TransportKind;

export const choices: Choice[] = ["automatic", "webrtc", "websocket"];

export interface Circumstances {
  choice: Choice;
  /** Whether the source is live video; a drawing isn't, and nor is no source at all. */
  isVideo: boolean;
  /** Whether the server is on this machine. */
  isLocal: boolean;
  /** Whether WebRTC was tried and did not work. */
  hasFailed: boolean;
}

/**
 * Over a network WebRTC keeps video at the lowest delay: what is late is not sent again. On one machine nothing is
 * late, and a drawing has sharp strokes and long rests: there exact pictures, each with its answer, are worth more.
 */
export function transportFor({ choice, isVideo, isLocal, hasFailed }: Circumstances): TransportKind {
  if (choice !== "automatic") return choice;
  return isVideo && !isLocal && !hasFailed ? "webrtc" : "websocket";
}

/** Whether a host name of an address stands for this machine (RFC 6761, section 6.3). */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

const KEY = "realtime.transport";

export function keptChoice(): Choice {
  const kept = localStorage.getItem(KEY);
  return choices.find((choice) => choice === kept) ?? "automatic";
}

export function keepChoice(choice: Choice): void {
  localStorage.setItem(KEY, choice);
}
