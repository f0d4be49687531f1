/** The overlay page: nothing but the picture of one session, transparent until there is one. It reconnects by itself. */

import "./overlay.css";
import { boundaryOf, MultipartParser } from "./mjpeg";

const RETRY_MS = 1000;

const canvas = document.createElement("canvas");
document.body.append(canvas);

async function draw(part: Uint8Array<ArrayBuffer>): Promise<void> {
  const bitmap = await createImageBitmap(new Blob([part]));
  if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
  if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
}

/** Shows the stream until it ends. Read by hand: an <img> doesn't tell when its stream has ended. */
async function show(session: string): Promise<void> {
  const address = `api/sessions/${encodeURIComponent(session)}/stream.mjpg`;
  const response = await fetch(new URL(address, document.baseURI), { cache: "no-store" });
  const boundary = boundaryOf(response.headers.get("content-type"));
  if (!response.ok || !boundary || !response.body) {
    await response.body?.cancel();
    return;
  }
  const parser = new MultipartParser(boundary);
  const reader = response.body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const newest = parser.push(read.value).at(-1);
    if (newest) await draw(newest);
  }
}

async function showForEver(session: string): Promise<never> {
  for (;;) {
    // Whatever ends the stream, the last picture stays and the next try follows: nobody sits before this page.
    await show(session).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

const session = new URLSearchParams(location.search).get("session");
if (session) void showForEver(session);
else console.warn("Name a session: /overlay?session=NAME");
