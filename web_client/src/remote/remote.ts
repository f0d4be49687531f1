/**
 * The remote: a phone's page that shows a session and changes what is most wanted of it. `?session=NAME&ticket=T`, the
 * ticket of one who may control it. Reconnects by itself.
 */

import "./remote.css";
import { bringTicket, socketBeside } from "../browser/beside";
import { browserClock } from "../browser/clock";
import { PictureCanvas } from "../overlay/picture_canvas";
import { readSocket } from "../overlay/socket";
import { Viewer } from "../overlay/viewer";
import type { ClientMessage, Params, ServerMessage } from "../protocol";
import { wordsFor } from "./words";

/** As often as a finger that slides is told. */
const SLIDE_MS = 100;
const SEEDS = 2 ** 32;

const words = wordsFor(navigator.languages);
const asked = new URLSearchParams(location.search);
const session = asked.get("session") ?? "";
bringTicket(asked.get("ticket"));

const screen = new PictureCanvas();
const state = document.createElement("p");
const prompt = document.createElement("textarea");
const strength = document.createElement("input");
const held = button(words.freeze, () => command(isHeld() ? "unfreeze" : "freeze"));
const airs = (["on_air", "bypass", "black"] as const).map((air) => {
  const made = button(words[air], () => {
    command(air);
    press(air);
  });
  made.dataset.air = air;
  return made;
});
let send: ((message: ClientMessage) => void) | null = null;
let slidAt_ms = 0;

Object.assign(prompt, { rows: 3, maxLength: 2000 });
Object.assign(strength, { type: "range", min: "0", max: "1", step: "0.01" });
prompt.onchange = () => patch({ prompt: prompt.value });
strength.onchange = () => patch({ strength: strength.valueAsNumber });
strength.oninput = () => {
  if (browserClock.now() - slidAt_ms < SLIDE_MS) return;
  slidAt_ms = browserClock.now();
  patch({ strength: strength.valueAsNumber });
};
state.role = "status";
document.documentElement.lang = words.language;
document.body.append(
  screen.canvas,
  state,
  labelled(words.prompt, prompt),
  labelled(words.strength, strength),
  row(words.output, airs),
  row(words.more, [held, button(words.seed, () => patch({ seed: Math.floor(Math.random() * SEEDS) }))]),
);
say(words.connecting);
const read = readSocket(socketBeside({ watch: session }), screen.draw, told, (reason) => {
  send = null;
  say(reason || words.connecting);
});
void new Viewer({ clock: browserClock, read, clear: screen.clear }).show();

function told(message: ServerMessage, answer: (message: ClientMessage) => void): void {
  if (message.type === "ready") {
    send = answer;
    say("");
    press(message.air ?? "on_air");
    show(message.params);
  } else if (message.type === "params") show(message.params);
  else if (message.type === "error") say(message.message);
}

/** What somebody is just writing or sliding is left alone. */
function show(params: Params): void {
  if (typeof params.prompt === "string" && document.activeElement !== prompt) prompt.value = params.prompt;
  if (document.activeElement !== strength) strength.value = String(params.strength);
}

function patch(params: Record<string, string | number>): void {
  say("");
  send?.({ type: "params", params });
}

function command(name: string): void {
  send?.({ type: "command", command: name });
  if (name.endsWith("freeze")) held.ariaPressed = String(name === "freeze");
}

function isHeld(): boolean {
  return held.ariaPressed === "true";
}

function press(air: string): void {
  for (const each of airs) each.ariaPressed = String(each.dataset.air === air);
}

function say(text: string): void {
  state.textContent = text;
  state.hidden = text === "";
}

function button(text: string, act: () => void): HTMLButtonElement {
  return Object.assign(document.createElement("button"), { type: "button", textContent: text, onclick: act });
}

function labelled(text: string, field: HTMLElement): HTMLElement {
  const label = document.createElement("label");
  label.append(text, field);
  return label;
}

function row(text: string, fields: readonly HTMLElement[]): HTMLElement {
  const made = document.createElement("div");
  made.role = "group";
  made.ariaLabel = text;
  made.append(...fields);
  return made;
}
