/** A session's pictures by WebSocket, as one who only watches. Knows no page. */

import { type ClientMessage, Flag, type Frame, mimeTypes, parseMessage, type ServerMessage, unpackFrame } from "../protocol";
import type { Read } from "./viewer";

/**
 * @param draw puts a picture on the page, and is told whether it is stacked, and whether it stands for a panic. While it does, only the newest of those that come waits.
 * @param told hears the server's messages, and gets what answers them.
 * @param closed hears why the server has closed it, where it says so.
 */
export function readSocket(
  url: URL,
  draw: (picture: ImageBitmap, isStacked: boolean, isBlacked: boolean) => void,
  told: (message: ServerMessage, answer: (message: ClientMessage) => void) => void = () => {},
  closed: (reason: string) => void = () => {},
): Read {
  return ({ open, heard }, abort) =>
    new Promise((resolve) => {
      const socket = new WebSocket(url);
      let newest: Frame | null = null;
      let isDrawing = false;
      const drawAll = async () => {
        if (isDrawing) return;
        isDrawing = true;
        for (let frame = newest; frame; frame = newest) {
          newest = null;
          // A picture that can't be decoded counts like a dropped one: the last good one stays.
          const bitmap = await createImageBitmap(new Blob([frame.payload], { type: mimeTypes[frame.format] })).catch(() => null);
          if (bitmap && !abort.aborted) draw(bitmap, (frame.flags & Flag.stacked) !== 0, (frame.flags & Flag.blacked) !== 0);
          bitmap?.close();
        }
        isDrawing = false;
      };
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
        heard();
        if (typeof data !== "string") {
          newest = unpackFrame(data);
          void drawAll();
          return;
        }
        const message = parseMessage(data);
        if (message?.type === "ready") open();
        if (message) told(message, (answer) => socket.send(JSON.stringify(answer)));
      };
      socket.onclose = ({ reason }) => {
        closed(reason);
        resolve();
      };
      abort.addEventListener("abort", () => {
        socket.close();
        resolve();
      });
    });
}
