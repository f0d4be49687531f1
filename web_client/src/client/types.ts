/** The plain types of the client. */

/** What can be restyled. */
export type Input = HTMLVideoElement | HTMLCanvasElement | HTMLImageElement;

/**
 * How a connection is: `idle` before it begins and after `close`, `retrying` while it waits to try again, `closed` where
 * trying again can't help.
 */
export type ClientStatus = "idle" | "connecting" | "loading" | "queued" | "open" | "retrying" | "closed";

export interface ClientError {
  /** For programs: `refused`, `full`, `unreachable`, `invalid_params`, `input` and so on. */
  readonly kind: string;
  /** For people. */
  readonly message: string;
  /** The param that was refused. */
  readonly field?: string | undefined;
}
