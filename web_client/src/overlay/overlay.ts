/** The overlay page: the picture of one session, transparent while there is none. Reconnects by itself. */

import "./overlay.css";
import { browserClock } from "../browser/clock";
import { boundaryOf, MultipartParser } from "./mjpeg";
import { type Part, type StreamEvents, Viewer } from "./viewer";

const ANSWER_MS = 3_000;

const canvas = document.createElement("canvas");
document.body.append(canvas);

async function draw(part: Part): Promise<void> {
  const bitmap = await createImageBitmap(new Blob([part]));
  if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
  if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
}

function clear(): void {
  canvas.getContext("2d")?.clearRect(0, 0, canvas.width, canvas.height);
}

/** Reads the stream by hand: an <img> doesn't tell when its stream has ended. */
async function read(address: URL, events: StreamEvents, signal: AbortSignal): Promise<void> {
  const response = await fetch(address, { cache: "no-store", signal });
  const boundary = boundaryOf(response.headers.get("content-type"));
  if (!response.ok || !boundary || !response.body) {
    await response.body?.cancel();
    return;
  }
  events.open();
  const parser = new MultipartParser(boundary);
  const reader = response.body.getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    const newest = parser.push(chunk.value).at(-1);
    if (newest) await events.picture(newest);
  }
}

async function isThere(address: URL): Promise<boolean> {
  try {
    return (await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) })).ok;
  } catch {
    return false;
  }
}

const name = new URLSearchParams(location.search).get("session");
if (name) {
  const session = new URL(`api/sessions/${encodeURIComponent(name)}`, document.baseURI);
  const viewer = new Viewer({
    clock: browserClock,
    read: (events, signal) => read(new URL(`${session.pathname}/stream.mjpg`, session), events, signal),
    isThere: () => isThere(session),
    draw,
    clear,
  });
  void viewer.show();
} else console.warn("Name a session: /overlay?session=NAME");
