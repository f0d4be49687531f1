/** The prompt: one text, or the parts of a blend, each with its weight. */

import { beside } from "../browser/beside";
import { browserClock } from "../browser/clock";
import { blendOf, withText, withWeight } from "../looks/blend";
import { isPicture, type Value, type WeightedPrompt } from "../protocol";
import { labelled, slider } from "./elements";
import type { RemoteWords } from "./words";

const MAX_CHARS = 2000;

export class RemotePrompt {
  readonly element = document.createElement("div");
  readonly #words: RemoteWords;
  readonly #change: (prompt: Value) => void;
  /** What is shown, as JSON: what comes back unchanged leaves fields alone that somebody is in. */
  #shown = "";
  #parts: WeightedPrompt[] = [];

  constructor(words: RemoteWords, change: (prompt: Value) => void) {
    this.#words = words;
    this.#change = change;
    this.element.className = "prompt";
  }

  show(prompt: Value | undefined): void {
    const shown = JSON.stringify(prompt);
    if (shown === this.#shown || this.element.contains(document.activeElement)) return;
    this.#shown = shown;
    const blend = blendOf(prompt);
    this.#parts = blend ?? [];
    const rows = blend?.map((part, index) => this.#part(part, index)) ?? [this.#text(this.#words.prompt, String(prompt ?? ""), this.#change)];
    this.element.replaceChildren(...rows);
  }

  #part(part: WeightedPrompt, index: number): HTMLElement {
    const name = `${this.#words.prompt} ${index + 1}`;
    const change = (parts: WeightedPrompt[]) => {
      this.#parts = parts;
      this.#change(parts);
    };
    const weight = slider(browserClock, 0.01, (value) => change(withWeight(this.#parts, index, value)));
    weight.value = String(part.weight);
    weight.ariaLabel = `${this.#words.weight} ${index + 1}`;
    const made = document.createElement("div");
    made.className = "part";
    if (isPicture(part)) made.append(Object.assign(document.createElement("img"), { src: beside(`api/pictures/${part.picture}`).href, alt: name }));
    else made.append(this.#text(name, part.text, (text) => change(withText(this.#parts, index, String(text)))));
    made.append(weight);
    return made;
  }

  #text(name: string, value: string, change: (text: Value) => void): HTMLElement {
    const field = Object.assign(document.createElement("textarea"), { rows: 2, maxLength: MAX_CHARS, value });
    field.onchange = () => change(field.value);
    return labelled(name, field);
  }
}
