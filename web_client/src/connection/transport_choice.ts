/** Chooses the transport: the user's, or else what suits source and network. Pure. */

export type TransportKind = "websocket" | "webrtc";
export type TransportChoice = "automatic" | TransportKind;

export const transportChoices: readonly TransportChoice[] = ["automatic", "webrtc", "websocket"];

export interface Circumstances {
  choice: TransportChoice;
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
