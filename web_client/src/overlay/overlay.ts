/**
 * The overlay page: the picture of one session, transparent while there is none, and where the picture is. Reconnects by
 * itself. `?session=NAME`, `&ticket=T` of one who may watch it, `&transport=webrtc` for video instead of single pictures,
 * and what `options` has.
 */

import "./overlay.css";
import { beside, bringTicket, socketBeside } from "../browser/beside";
import { browserClock } from "../browser/clock";
import type { Air, ServerMessage } from "../protocol";
import { optionsIn } from "./options";
import { PictureCanvas } from "./picture_canvas";
import { readSocket } from "./socket";
import { Viewer } from "./viewer";
import { readWhep } from "./whep";

const ANSWER_MS = 3_000;

const { canvas, draw, clear } = new PictureCanvas();
document.body.append(canvas);

const asked = new URLSearchParams(location.search);
const { fit, panic, stall } = optionsIn(asked, (sentence) => console.warn(sentence));
canvas.dataset.fit = fit;

/** A panic may leave the picture away that stands for it. */
function show(picture: ImageBitmap | HTMLVideoElement, isStacked: boolean, isBlacked: boolean): void {
  if (isBlacked && panic === "transparent") clear();
  else draw(picture, isStacked);
}

/** Nothing is written over the picture: a style sheet of one's own may, by `canvas[data-held]`. */
function told(message: ServerMessage): void {
  if (message.type === "ready") canvas.dataset.held = ""; // `safety` follows where pictures are held
  if (message.type === "safety") canvas.dataset.held = message.held ? message.code : "";
}

const session = asked.get("session");
if (session) {
  bringTicket(asked.get("ticket"));
  const shape = async () => {
    const url = beside(`api/sessions/${encodeURIComponent(session)}`);
    const response = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) throw new Error("there is no such session");
    const { params, air } = (await response.json()) as { params: { width: number; height: number }; air?: Air };
    return { ...params, isBlacked: air === "black" };
  };
  const isVideo = asked.get("transport") === "webrtc";
  const read = isVideo
    ? readWhep(browserClock, beside("whep", { session }), shape, show)
    : readSocket(socketBeside({ watch: session }), show, told);
  void new Viewer({ clock: browserClock, read, clear: stall === "hold" ? () => {} : clear }).show();
} else console.warn("Name a session: /overlay?session=NAME");
