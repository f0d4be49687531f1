/** Keeps presets, the prompts used and the seed's lock, and puts looks in force. Doesn't know how a param is sent. */

import { type Signal, signal } from "@preact/signals";
import { flag, kept } from "../browser/kept";
import type { NoteKind } from "../languages/strings";
import type { Edit } from "../params/params";
import { promptText } from "../params/styles";
import { isPicture, type Params, type Value } from "../protocol";
import { blendOf } from "./blend";
import { fragmentFor } from "./fragment";
import { isShown, type Look, lookOf, patchFor, transitionOf } from "./look";
import { added, exported, nameFor, overwritten, type Preset, type Presets, readPresets, removed } from "./presets";
import { type PromptHistory, readHistory, remembered } from "./prompt_history";

export interface LooksOptions {
  params: () => Params | null;
  shown: () => Readonly<Record<string, Value>>;
  edit: Edit;
  /** The result as it is seen, as a small JPEG in base64; undefined while there is none. */
  picture: () => string | undefined;
  /** The name of a preset whose prompt has no words. */
  unnamed: () => string;
  /** Says what was done, with the way back. */
  say: (note: NoteKind, undo: () => void) => void;
}

export class Looks {
  readonly presets: Signal<Presets> = kept("presets", readPresets, []);
  readonly prompts: Signal<PromptHistory> = kept("prompts", readHistory, []);
  readonly isSeedLocked = kept("seedLocked", flag, false);
  /** The name of the preset that was called last. It stays while hands, sound and beat move what it set. */
  readonly called = signal<string | null>(null);

  readonly #options: LooksOptions;

  constructor(options: LooksOptions) {
    this.#options = options;
  }

  /** The look in force. */
  get present(): Look {
    return lookOf(this.#options.shown());
  }

  /**
   * Puts a look in force, over its own transition or another.
   * @returns whether there was something to set.
   */
  apply(look: Look, transition_s = transitionOf(look)): boolean {
    const fields = Object.entries(patchFor(look, this.#options.params(), this.isSeedLocked.peek()));
    for (const [field, value] of fields) this.#options.edit(field, value, "sliding", transition_s);
    return fields.length > 0;
  }

  call(index: number, transition_s?: number): void {
    const preset = this.presets.peek()[index];
    if (!preset) return;
    this.apply(preset.look, transition_s);
    this.called.value = preset.name;
  }

  /** Params are in force, by whomever: the preset whose look that is was called. Of two alike, the one that was. */
  note(params: Params, presets: Presets): void {
    const shown = presets.filter(({ look }) => isShown(look, params));
    if (shown[0] && !shown.some(({ name }) => name === this.called.peek())) this.called.value = shown[0].name;
  }

  save(): void {
    const { prompt } = this.present;
    const words = blendOf(prompt)?.flatMap((part) => (isPicture(part) ? [] : part.text || [])).join(" + ") ?? promptText(prompt);
    const name = nameFor(words) || this.#options.unnamed();
    const picture = this.#options.picture();
    this.presets.value = added(this.presets.peek(), { name, look: this.present, ...(picture && { picture }) });
    this.called.value = this.presets.peek().at(-1)?.name ?? null;
  }

  remove(index: number): void {
    this.#change("presetRemoved", (presets) => removed(presets, index));
  }

  /** Puts the look in force in the place of a preset's. */
  overwrite(index: number): void {
    this.#change("presetOverwritten", (presets) => overwritten(presets, index, this.present, this.#options.picture()));
    this.called.value = this.presets.peek()[index]?.name ?? null;
  }

  /** Appends what an exported file has. Returns whether it was one. */
  import(text: string): boolean {
    let presets: Presets | null = null;
    try {
      presets = readPresets(JSON.parse(text));
    } catch {
      return false;
    }
    if (presets) this.presets.value = presets.reduce(added, this.presets.peek());
    return presets !== null;
  }

  export(): Blob {
    return new Blob([exported(this.presets.peek())], { type: "application/json" });
  }

  /** The address of this page with a preset in it. */
  address(preset: Preset): string {
    return new URL(fragmentFor(preset), location.href.replace(/[#?].*$/, "")).href;
  }

  remember(prompt: string): void {
    this.prompts.value = remembered(this.prompts.peek(), prompt);
  }

  /** In a way that can be taken back: one wrong key on a stage shouldn't cost a look. */
  #change(note: NoteKind, change: (presets: Presets) => Presets): void {
    const before = this.presets.peek();
    this.presets.value = change(before);
    this.#options.say(note, () => (this.presets.value = before));
  }
}
