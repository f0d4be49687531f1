/**
 * Two decks as one source: each has an input of its own, and the crossfader says how much of which is seen. Mixed here, in
 * the size that is sent, so that every transport and every view has the same. Costs nothing while the second deck is empty.
 */

import { effect, signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import { kept, oneOf, recall, remember, within } from "../browser/kept";
import type { Problems } from "../problems";
import type { Clip, ClipBin } from "./clips";
import { drawCropped } from "./crop";
import { crossfaded, fadeModes } from "./crossfade";
import type { Fader } from "./fader";
import { DECKS_KEY, Inputs } from "./inputs";
import type { MixedSource, Picture } from "./source";
import { type Trim, Trimmer, trimmed } from "./trim";

export const deckNames = ["a", "b"] as const;
export type DeckName = (typeof deckNames)[number];

export interface DecksOptions {
  clock: Clock;
  problems: Problems;
  /** The first deck. */
  inputs: Inputs;
  fader: Fader;
  clips: ClipBin;
  /** Width and height of what is sent. */
  size: () => { width: number; height: number };
}

/** A deck whose clip is changed, or whose video is wound, has no picture for a moment: the mix before is seen as long. */
const HELD_MS = 700;

/** What a reload finds again. */
interface Remembered {
  at: number;
  clips: Partial<Record<DeckName, string | null>>;
}

export class Decks implements MixedSource {
  readonly view = document.createElement("canvas");
  readonly a: Inputs;
  readonly b: Inputs;
  readonly fader: Fader;
  readonly clips: ClipBin;
  readonly mode = kept("decks.mode", oneOf(fadeModes), "mix");
  /** The deck that clips go to. */
  readonly selected = signal<DeckName>("b");
  readonly trimmers: Readonly<Record<DeckName, Trimmer>>;

  readonly #options: DecksOptions;
  readonly #context: CanvasRenderingContext2D;
  /** The clip that a deck was given last, and the file that it shows of it. */
  readonly #given = signal<Readonly<Partial<Record<DeckName, { id: string; file: File }>>>>({});
  /** Where the views are that nobody looks at: browsers pause a video that is taken out of the page. */
  readonly #backstage = document.createElement("div");
  #isStale = true;
  #missedAt_ms: number | null = null;

  constructor(options: DecksOptions) {
    this.#options = options;
    const { inputs, problems, fader, clips } = options;
    const context = this.view.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser has no 2D canvas");
    this.#context = context;
    [this.a, this.fader, this.clips] = [inputs, fader, clips];
    this.b = new Inputs({
      problems,
      scope: "secondSource",
      name: "B",
      openCanvas: () => inputs.openCanvas(),
      changed: () => {
        this.#isStale = true;
        if (fader.at.peek() > 0) inputs.changed();
      },
      onUse: () => {},
      onBegun: () => inputs.mixInto(this),
    });
    this.trimmers = { a: new Trimmer(this.a.file), b: new Trimmer(this.b.file) };
    this.#backstage.hidden = true;
    document.body.append(this.#backstage);
    this.b.kind.subscribe((kind) => {
      this.#hide(this.b);
      if ((kind === null) === (inputs.mixed.peek() === null)) return;
      if (kind === null) this.view.width = 0;
      // Before the mix takes its place on the stage.
      if (kind !== null) this.#hide(inputs);
      inputs.mixInto(kind === null ? null : this);
    });
    this.a.kind.subscribe((kind) => {
      // There is one drawing, and it is where it was chosen last.
      if (kind === "canvas" && this.b.kind.peek() === "canvas") this.b.clear();
      if (inputs.mixed.peek()) this.#hide(inputs);
    });
    effect(() => {
      fader.at.value;
      this.mode.value;
      this.#isStale = true;
      if (inputs.mixed.peek()) inputs.changed();
    });
  }

  /** Goes on with what a reload has interrupted, and keeps from now on what the next one would. */
  async resume(): Promise<void> {
    const { clips } = remembered();
    await Promise.all(deckNames.map((deck) => this.#resume(deck, clips[deck])));
    effect(() => {
      const [a, b] = [this.clipOn("a"), this.clipOn("b")];
      const isUsed = a !== null || this.b.kind.value !== null;
      const now: Remembered = { at: this.fader.goal.value ?? this.fader.at.value, clips: { a, b } };
      remember(DECKS_KEY, isUsed ? JSON.stringify(now) : "", "sessionStorage");
    });
  }

  async #resume(deck: DeckName, id?: string | null): Promise<void> {
    const clip = this.clips.clips.peek().find((each) => each.id === id);
    if (this[deck].kind.peek() !== null) return;
    if (clip) await this.play(clip, deck);
    // The first deck goes on by itself.
    else if (deck === "b") await this.b.resume();
  }

  /** Whether all that is seen rests, and the crossfader, too. */
  get isStill(): boolean {
    const at = this.fader.at.peek();
    const seen = [at < 1 ? this.a.own : null, at > 0 ? this.b.own : null];
    return seen.every((source) => source?.isStill ?? true) && this.fader.goal.peek() === null;
  }

  /** The decks run by themselves. */
  async start(): Promise<void> {}
  stop(): void {}

  touch(): boolean {
    this.#isStale = true;
    return this.fader.at.peek() < 1;
  }

  picture(): Picture | null {
    const [a, b] = [this.a.own?.picture() ?? null, this.b.own?.picture() ?? null];
    const { width, height } = this.#options.size();
    const at = this.fader.at.peek();
    const mixed = { image: this.view, width, height, mirrored: false };
    const isWhole = (a || at === 1) && (b || at === 0);
    if (isWhole) this.#missedAt_ms = null;
    else {
      this.#missedAt_ms ??= this.#options.clock.now();
      const isHeld = this.#options.clock.now() - this.#missedAt_ms < HELD_MS;
      if (isHeld) return this.view.width === width && this.view.height === height ? mixed : null;
    }
    this.#draw(a, b, width, height);
    const alone = at === 0 || !b ? a : at === 1 || !a ? b : null;
    // As it is: it may be blank, or transparent.
    return alone ?? (a || b ? mixed : null);
  }

  /** How the video of a deck plays from now on; kept, where it is that of a clip. */
  trim(deck: DeckName, change: Partial<Trim>): void {
    const { trim } = this.trimmers[deck];
    const { file } = this[deck];
    trim.value = trimmed(trim.peek(), change, file.duration_s.peek());
    const id = this.clipOn(deck);
    if (id !== null) this.clips.trim(id, trim.peek());
    // What is cut off is seen while a point is moved.
    if (change.in_s !== undefined) file.seek(trim.peek().in_s);
  }

  /** The clip that a deck shows; null for none. */
  clipOn(deck: DeckName): string | null {
    const [{ kind, file }, given] = [this[deck], this.#given.value[deck]];
    return kind.value === "file" && given && given.file === file.file.value ? given.id : null;
  }

  /** Plays a clip from its beginning. */
  async play(clip: Clip, deck = this.selected.peek()): Promise<void> {
    const file = await this.clips.file(clip);
    if (!file) return this.#options.problems.mention("clipNotKept", clip.name);
    this.#given.value = { ...this.#given.peek(), [deck]: { id: clip.id, file } };
    this.trimmers[deck].prepare(file, clip.trim);
    await this[deck].play(file);
  }

  /** The drawing stays where one draws. */
  #hide({ kind, own }: Inputs): void {
    if (own && kind.peek() !== "canvas") this.#backstage.append(own.view);
  }

  #draw(a: Picture | null, b: Picture | null, width: number, height: number): void {
    const { view } = this;
    if (view.width !== width || view.height !== height) [view.width, view.height] = [width, height];
    else if (!this.#isStale) return;
    this.#isStale = false;
    const context = this.#context;
    // Whichever is there is seen alone where the other is not.
    const fade = crossfaded(this.mode.peek(), a && b ? this.fader.at.peek() : a ? 0 : 1);
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = 1;
    context.fillStyle = fade.ground;
    context.fillRect(0, 0, width, height);
    context.globalAlpha = fade.a;
    if (a && fade.a > 0) drawCropped(context, a);
    context.globalCompositeOperation = fade.operation;
    context.globalAlpha = fade.b;
    if (b && fade.b > 0) drawCropped(context, b);
  }
}

/** Where a reload has interrupted the crossfader. */
export function rememberedAt(): number {
  return remembered().at;
}

/** Anyone may have written what the tab keeps. */
function remembered(): Remembered {
  try {
    const { at, clips } = JSON.parse(recall(DECKS_KEY, "sessionStorage") || "{}") as Partial<Remembered>;
    return { at: within(0, 1)(at) ?? 0, clips: clips ?? {} };
  } catch {
    return { at: 0, clips: {} };
  }
}
