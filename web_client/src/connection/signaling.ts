/** The HTTP half of WebRTC: offer and answer, trickled candidates, the end. Knows no peer connection. */

import { beside, peerBeside } from "../browser/beside";
import { CloseCode } from "../protocol";
import { OwnCode } from "./connection";
import { detailOf } from "./requests";

export interface ServerConfig {
  ice_servers: RTCIceServer[];
  /** Whether the server takes WebRTC; an older one doesn't say. */
  webrtc?: boolean;
}

/** Both methods reject with a SignalingError. */
export interface Signaling {
  config(): Promise<ServerConfig>;
  offer(sdp: string): Promise<Answer>;
}

export interface Answer {
  sdp: string;
  /** Adds candidates. One that gets lost is no failure: the connectivity checks show the server where we are. */
  trickle(fragment: string): Promise<void>;
  /** Ends the peer connection on the server's side too, even while the page goes away. */
  end(): void;
}

/** Why there is no answer, as the close code that it amounts to. */
export class SignalingError extends Error {
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

export function httpSignaling(session: () => string): Signaling {
  return {
    async config() {
      const response = await ask(beside("api/config"), {});
      return (await response.json()) as ServerConfig;
    },
    async offer(sdp) {
      const url = beside("rtc", { session: session() });
      const headers = { "Content-Type": "application/sdp" };
      const response = await ask(url, { method: "POST", headers, body: sdp });
      return answerIn(response, await response.text());
    },
  };
}

function answerIn({ headers }: Response, sdp: string): Answer {
  const resource = peerBeside("rtc", headers);
  const tag = headers.get("etag") ?? "*";
  return {
    sdp,
    async trickle(fragment) {
      const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": tag };
      await fetch(resource, { method: "PATCH", headers, body: fragment }).catch(() => {});
    },
    end() {
      void fetch(resource, { method: "DELETE", keepalive: true }).catch(() => {});
    },
  };
}

async function ask(url: URL, request: RequestInit): Promise<Response> {
  const response = await fetch(url, request).catch((error: unknown) => {
    throw new SignalingError(OwnCode.lost, String(error));
  });
  if (!response.ok) throw new SignalingError(codeOf(response.status), await detailOf(response));
  return response;
}

/** The close code that an HTTP status amounts to. */
export function codeOf(status: number): number {
  switch (status) {
    case 401:
      return CloseCode.refused;
    case 403:
    case 421:
      return OwnCode.denied;
    case 404:
    case 405:
      return OwnCode.unavailable;
    case 503:
      return CloseCode.full;
    default:
      return OwnCode.unconnected;
  }
}
