/**
 * The remote: a phone's page that shows a session and plays it. `?session=NAME&ticket=T`, the ticket of one who may control
 * it. Reconnects by itself.
 */

import "./remote.css";
import { beside, bringTicket, socketBeside } from "../browser/beside";
import { browserClock } from "../browser/clock";
import { PictureCanvas } from "../overlay/picture_canvas";
import { readSocket } from "../overlay/socket";
import { Viewer } from "../overlay/viewer";
import type { Air, ClientMessage, Params, ServerMessage, StateMessage, Value } from "../protocol";
import { button, labelled, row, slider } from "./elements";
import { type RemotePad, RemotePads } from "./pads";
import { RemotePrompt } from "./prompt";
import { wordsFor } from "./words";

const words = wordsFor(navigator.languages);
const asked = new URLSearchParams(location.search);
const session = asked.get("session") ?? "";
bringTicket(asked.get("ticket"));

const screen = new PictureCanvas();
const state = document.createElement("p");
const safety = document.createElement("p");
const pads = new RemotePads(words, (number) => command("pad", { pad: number }));
const prompt = new RemotePrompt(words, (value) => patch({ prompt: value }));
const strength = slider(browserClock, 0.01, (value) => patch({ strength: value }));
const held = button(words.freeze, () => command(isPressed(held) ? "unfreeze" : "freeze"));
const bypass = button(words.bypass, () => command(isPressed(bypass) ? "on_air" : "bypass"));
const panic = button(words.panic, () => command(isPressed(panic) ? "on_air" : "black"));
let send: ((message: ClientMessage) => void) | null = null;
let padsVersion: number | undefined;

state.role = "status";
safety.role = "status";
safety.hidden = true;
panic.className = "panic";
document.documentElement.lang = words.language;
const playing = document.createElement("main");
playing.append(
  state,
  safety,
  pads.element,
  labelled(words.strength, strength),
  row(words.output, [held, bypass, panic]),
  prompt.element,
  row(words.more, [button(words.seed, () => command("seed"))]),
);
document.body.append(screen.canvas, playing);
say(words.connecting);
const read = readSocket(socketBeside({ watch: session }), screen.draw, told, (reason) => {
  send = null;
  say(reason || words.connecting);
});
void new Viewer({ clock: browserClock, read, clear: screen.clear }).show();

function told(message: ServerMessage, answer: (message: ClientMessage) => void): void {
  switch (message.type) {
    case "ready":
      send = answer;
      padsVersion = undefined;
      say("");
      write(safety, ""); // `safety` follows where pictures are held
      show(message.params);
      showAir(message.air ?? "on_air");
      break;
    case "safety":
      write(safety, message.held ? words[message.code === "unsafe" ? "unsafe" : "unchecked"] : "");
      break;
    case "params":
      show(message.params);
      break;
    case "state":
      follow(message);
      break;
    case "error":
      say(message.message);
      break;
  }
}

/** What somebody is just writing or sliding is left alone. */
function show(params: Params): void {
  prompt.show(params.prompt);
  if (document.activeElement !== strength) strength.value = String(params.strength);
}

function follow({ frozen, air, pad, pads: version }: StateMessage): void {
  if (frozen !== undefined) held.ariaPressed = String(frozen);
  if (air) showAir(air);
  if (pad !== undefined) pads.light(pad);
  if (version !== padsVersion) {
    padsVersion = version;
    void fetchPads(pad ?? null);
  }
}

async function fetchPads(lit: number | null): Promise<void> {
  try {
    const response = await fetch(beside(`api/sessions/${session}/pads`), { cache: "no-store" });
    if (!response.ok) throw new Error(response.statusText);
    pads.show(((await response.json()) as { pads: RemotePad[] }).pads);
    pads.light(lit);
  } catch (error) {
    // They are asked for again with the next change, or the next connection.
    say(String((error as Error).message));
  }
}

function patch(params: Record<string, Value>): void {
  say("");
  send?.({ type: "params", params });
}

function command(name: string, fields: Record<string, Value> = {}): void {
  say("");
  send?.({ type: "command", command: name, ...fields });
}

function isPressed(one: HTMLElement): boolean {
  return one.ariaPressed === "true";
}

function showAir(air: Air): void {
  bypass.ariaPressed = String(air === "bypass");
  panic.ariaPressed = String(air === "black");
}

function say(text: string): void {
  write(state, text);
}

function write(line: HTMLElement, text: string): void {
  line.textContent = text;
  line.hidden = text === "";
}
