/** Plays a show: what beats, cues, knobs and sound do to the params. Loaded when it is first wanted. */

import { computed, type Signal, signal } from "@preact/signals";
import { flag, kept, oneOf, text, within } from "../browser/kept";
import { moved } from "../looks/presets";
import type { Value } from "../protocol";
import type { Studio } from "../studio/studio";
import { Controller } from "./controller";
import { type Cues, cueFrom, readCues } from "./cues";
import { modulated } from "./modulation";
import { Sound } from "./sound";
import { moveTarget, numbersOf } from "./targets";
import { beatAt, pulseAt, tapped, type Tempo, tempoOf } from "./tempo";

/** Often enough for a smooth change, and seldom enough for the server to make a recipe of each. */
const TICK_MS = 50;

export const beatActions = ["nothing", "seed", "preset"] as const;
export type BeatAction = (typeof beatActions)[number];

export class Show {
  readonly tempo = signal<Tempo | null>(null);
  readonly beatAction = kept("beatAction", oneOf(beatActions), "nothing");
  readonly beatsPerAction = kept("beatsPerAction", within(1, 64), 4);
  /** The number of the beat; null without a tempo. Read it to show the beat. */
  readonly beat = signal<number | null>(null);

  readonly cues: Signal<Cues> = kept("cues", readCues, []);
  readonly loops = kept("cuesLoop", flag, true);
  /** The cue that is on; null where none is. */
  readonly cue = signal<number | null>(null);
  readonly isPlaying = computed(() => this.#playing.value !== null);

  readonly controller: Controller;
  readonly sound = new Sound();
  /** Whether a setting moves with the beat as it does with sound. */
  readonly pulses = kept("pulses", flag, false);
  readonly soundField = kept("soundField", text, "strength");
  readonly soundAmount = kept("soundAmount", within(-1, 1), 0.4);

  readonly #studio: Studio;
  readonly #playing = signal<{ startedAt_ms: number; first: number; from: Value } | null>(null);
  #taps: readonly number[] = [];
  #preset = -1;
  /** The setting that is moved, and where it stood before. */
  #base: { field: string; value: number } | null = null;

  constructor(studio: Studio) {
    this.#studio = studio;
    const own = { tap: () => this.tap(), cues: () => this.togglePlay(), nextCue: () => this.nextCue() };
    this.controller = new Controller((target, event) => moveTarget(studio, own, target, event), studio.view.usesMidi);
    setInterval(() => this.#tick(performance.now()), TICK_MS);
  }

  tap(): void {
    this.#taps = tapped(this.#taps, performance.now());
    this.tempo.value = tempoOf(this.#taps) ?? this.tempo.peek();
  }

  togglePlay(): void {
    if (this.isPlaying.peek()) this.stop();
    else this.play();
  }

  /** Plays the list from a cue on, which is faded into from what is on now. */
  play(first = 0): void {
    if (first >= this.cues.peek().length) return;
    const from = this.#studio.client.params.shown.peek().prompt ?? "";
    this.#playing.value = { startedAt_ms: performance.now(), first, from };
    this.cue.value = first;
  }

  stop(): void {
    this.#playing.value = null;
    this.cue.value = null;
  }

  /** The cue after the one that is on, now and not when its time comes. */
  nextCue(): void {
    const next = (this.cue.peek() ?? -1) + 1;
    if (next < this.cues.peek().length) this.play(next);
    else if (this.loops.peek()) this.play();
    else this.stop();
  }

  addCue(): void {
    const prompt = this.#studio.client.params.shown.peek().prompt ?? "";
    this.cues.value = [...this.cues.peek(), { prompt, fade_s: 4, hold_s: 8 }];
  }

  moveCueUp(index: number): void {
    this.cues.value = moved(this.cues.peek(), index, -1);
  }

  #tick(now_ms: number): void {
    this.#tickBeat(now_ms);
    this.#tickCues(now_ms);
    this.#tickLevel(now_ms);
  }

  #tickBeat(now_ms: number): void {
    const tempo = this.tempo.peek();
    const beat = tempo ? beatAt(tempo, now_ms) : null;
    if (beat === this.beat.peek()) return;
    this.beat.value = beat;
    if (beat === null || beat < 1 || beat % this.beatsPerAction.peek() !== 0) return;
    const { looks } = this.#studio;
    if (this.beatAction.peek() === "seed") this.#studio.newSeed();
    else if (this.beatAction.peek() === "preset" && looks.presets.peek().length > 0) {
      this.#preset = (this.#preset + 1) % looks.presets.peek().length;
      looks.call(this.#preset);
    }
  }

  #tickCues(now_ms: number): void {
    const playing = this.#playing.peek();
    if (!playing) return;
    const elapsed_s = (now_ms - playing.startedAt_ms) / 1000;
    const on = cueFrom(this.cues.peek(), playing.first, elapsed_s, this.loops.peek(), playing.from);
    if (!on) {
      this.stop();
      return;
    }
    this.cue.value = on.index;
    const { params } = this.#studio.client;
    if (JSON.stringify(params.shown.peek().prompt) !== JSON.stringify(on.prompt))
      params.edit("prompt", on.prompt, "sliding");
  }

  /** The louder of the sound and the beat moves the setting; where there is neither, it goes back. */
  #tickLevel(now_ms: number): void {
    const tempo = this.pulses.peek() ? this.tempo.peek() : null;
    const heard = this.sound.read();
    const level = Math.max(heard ?? 0, tempo ? pulseAt(tempo, now_ms) : 0);
    const field = this.soundField.peek();
    if (this.#base && (this.#base.field !== field || (heard === null && !tempo))) this.#releaseBase();
    const { params } = this.#studio.client;
    const control = numbersOf(this.#studio).find(({ name }) => name === field);
    const value = params.shown.peek()[field];
    if ((heard === null && !tempo) || !control || typeof value !== "number") return;
    this.#base ??= { field, value };
    const moved = modulated(control, this.#base.value, this.soundAmount.peek(), level);
    if (moved !== value) params.edit(field, moved, "sliding");
  }

  #releaseBase(): void {
    if (this.#base) this.#studio.client.params.edit(this.#base.field, this.#base.value, "sliding");
    this.#base = null;
  }
}
