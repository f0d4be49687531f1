/** The WebSocket transport: bytes and text in, frames and messages out. Decides nothing. */

import { CloseCode, parseMessage, ProtocolError, SUBPROTOCOL, unpackFrame } from "../protocol";
import type { Dial } from "./connection";

/** Browsers let a page close with 1000 or 3000–4999 only, so our 1002 goes out as this. */
const CLOSED_FOR_PROTOCOL = 4002;

/** @param also what else is offered as a subprotocol: a token, where one is wanted. */
export function dialWebSocket(url: () => URL, also: readonly string[] = []): Dial {
  return (events) => {
    const socket = new WebSocket(url(), [SUBPROTOCOL, ...also]);
    socket.binaryType = "arraybuffer";
    socket.onclose = (event) => events.closed(event.code, event.reason);
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      try {
        if (typeof event.data !== "string") {
          events.frame(unpackFrame(event.data));
          return;
        }
        const message = parseMessage(event.data);
        if (message) events.message(message);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        socket.close(CLOSED_FOR_PROTOCOL, error.message);
        events.closed(CloseCode.protocol, error.message);
      }
    };
    return {
      send: (message) => socket.send(JSON.stringify(message)),
      sendFrame: (bytes) => socket.send(bytes),
      close() {
        socket.onclose = null;
        socket.onmessage = null;
        socket.close();
      },
    };
  };
}
