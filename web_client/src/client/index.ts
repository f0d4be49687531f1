/** What the package `realtime-client` gives. */

export {
  type ClientEvents,
  type ClientOptions,
  connect,
  type Patch,
  RealtimeClient,
  type ShownPicture,
} from "./client";
export type { ClientError, ClientStatus, Input } from "./types";
export type { Params, Stats, Value } from "../protocol";
