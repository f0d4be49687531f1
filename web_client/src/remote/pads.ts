/** The session's pads, each with its picture, and the one that was called last lit. */

import { addressOfJpeg } from "../browser/thumbnail";
import type { RemoteWords } from "./words";

export interface RemotePad {
  name: string;
  /** A small JPEG in base64. */
  picture?: string;
}

export class RemotePads {
  readonly element = document.createElement("div");
  readonly #words: RemoteWords;
  readonly #call: (number: number) => void;

  constructor(words: RemoteWords, call: (number: number) => void) {
    this.#words = words;
    this.#call = call;
    this.element.role = "group";
    this.element.ariaLabel = words.pads;
    this.element.className = "pads";
  }

  show(pads: readonly RemotePad[]): void {
    this.element.replaceChildren(...pads.map((pad, index) => this.#pad(pad, index + 1)));
    if (pads.length === 0) this.element.textContent = this.#words.noPads;
  }

  /** @param number from 1 on; null: none was called yet. */
  light(number: number | null): void {
    for (const [index, pad] of [...this.element.children].entries()) pad.ariaPressed = String(index + 1 === number);
  }

  #pad({ name, picture }: RemotePad, number: number): HTMLElement {
    const pad = Object.assign(document.createElement("button"), { type: "button", onclick: () => this.#call(number) });
    const text = Object.assign(document.createElement("span"), { textContent: name });
    if (picture) pad.append(Object.assign(document.createElement("img"), { src: addressOfJpeg(picture), alt: "" }));
    pad.append(text);
    return pad;
  }
}
