/** Plays a show: what beats, cues, knobs and sound do to the params. Loaded when it is first wanted. */

import { computed, type Signal, signal } from "@preact/signals";
import { flag, kept, oneOf, text, within } from "../kept";
import type { NumberControl } from "../schema";
import type { Studio } from "../studio";
import { Sound } from "./sound";
import { type Cues, cueAt, readCues } from "./cues";
import { type Bindings, bound, midiEvent, type MidiEvent, readBindings, scaled, unbound } from "./midi";
import { modulated } from "./modulation";
import { beatAt, tapped, type Tempo, tempoOf } from "./tempo";

/** Often enough for a smooth change, and seldom enough for the server to make a recipe of each. */
const TICK_MS = 50;

export const beatActions = ["nothing", "seed", "preset"] as const;
export type BeatAction = (typeof beatActions)[number];

/** What a key of a controller can do besides moving a number. */
export const actions = ["freeze", "bypass", "panic", "seed", "tap", "snapshot"] as const;
export type Action = (typeof actions)[number];

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

  readonly bindings: Signal<Bindings> = kept("midi", readBindings, {});
  readonly midiState = signal<"off" | "on" | "refused" | "missing">("off");
  /** The target that the next knob or key is for; null while none is learned. */
  readonly learns = signal<string | null>(null);

  readonly sound: Sound;
  readonly soundField = kept("soundField", text, "strength");
  readonly soundAmount = kept("soundAmount", within(-1, 1), 0.4);

  readonly #studio: Studio;
  readonly #playing = signal<{ startedAt_ms: number; from: ReturnType<typeof cueAt> } | null>(null);
  #taps: readonly number[] = [];
  #preset = -1;
  #soundBase: { field: string; value: number } | null = null;

  constructor(studio: Studio) {
    this.#studio = studio;
    this.sound = new Sound();
    setInterval(() => this.#tick(performance.now()), TICK_MS);
  }

  get numbers(): NumberControl[] {
    const controls = this.#studio.client.controls.value;
    return controls.filter(
      (control) => control.kind === "number" && control.min !== null && control.max !== null,
    ) as NumberControl[];
  }

  tap(): void {
    this.#taps = tapped(this.#taps, performance.now());
    this.tempo.value = tempoOf(this.#taps) ?? this.tempo.peek();
  }

  play(): void {
    const prompt = this.#studio.client.params.shown.peek().prompt ?? "";
    this.#playing.value = { startedAt_ms: performance.now(), from: { index: -1, prompt } };
  }

  stop(): void {
    this.#playing.value = null;
    this.cue.value = null;
  }

  addCue(): void {
    const prompt = this.#studio.client.params.shown.peek().prompt ?? "";
    this.cues.value = [...this.cues.peek(), { prompt, fade_s: 4, hold_s: 8 }];
  }

  async useMidi(): Promise<void> {
    if (!navigator.requestMIDIAccess) {
      this.midiState.value = "missing";
      return;
    }
    try {
      const access = await navigator.requestMIDIAccess();
      const listen = () => {
        for (const input of access.inputs.values())
          input.onmidimessage = ({ data }) => data && this.#hear(midiEvent(data));
      };
      access.onstatechange = listen;
      listen();
      this.midiState.value = "on";
    } catch {
      this.midiState.value = "refused";
    }
  }

  forget(target: string): void {
    this.bindings.value = unbound(this.bindings.peek(), target);
  }

  async useSound(): Promise<void> {
    if (this.sound.isOn.peek()) this.#releaseSound();
    await this.sound.toggle();
  }

  #hear(event: MidiEvent | null): void {
    if (!event) return;
    const learned = this.learns.peek();
    if (learned !== null) {
      this.bindings.value = bound(this.bindings.peek(), event.key, learned);
      this.learns.value = null;
      return;
    }
    const target = this.bindings.peek()[event.key];
    if (target !== undefined) this.#move(target, event);
  }

  #move(target: string, { value, isKey }: MidiEvent): void {
    const { looks, client } = this.#studio;
    const preset = target.match(/^preset (\d+)$/)?.[1];
    const action = actions.find((each) => each === target);
    // A knob as a switch: it acts when it passes the upper half.
    const isPressed = isKey || value >= 0.5;
    if (preset !== undefined) {
      if (isPressed) looks.call(Number(preset) - 1);
    } else if (action) {
      if (isPressed) this.#act(action);
    } else {
      const control = this.numbers.find(({ name }) => name === target);
      if (control) client.params.edit(target, scaled(control, value), "sliding");
    }
  }

  #act(action: Action): void {
    const { client, view, keep } = this.#studio;
    switch (action) {
      case "freeze":
        client.setFrozen(!client.isFrozen.peek());
        break;
      case "bypass":
        view.isBypassed.value = !view.isBypassed.peek();
        break;
      case "panic":
        view.isPanicked.value = !view.isPanicked.peek();
        break;
      case "seed":
        this.#studio.newSeed();
        break;
      case "tap":
        this.tap();
        break;
      case "snapshot":
        void keep.saveSnapshot();
        break;
    }
  }

  #tick(now_ms: number): void {
    this.#tickBeat(now_ms);
    this.#tickCues(now_ms);
    this.#tickSound();
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
    const on = cueAt(this.cues.peek(), elapsed_s, this.loops.peek(), playing.from?.prompt ?? "");
    if (!on) {
      this.stop();
      return;
    }
    this.cue.value = on.index;
    const { params } = this.#studio.client;
    if (JSON.stringify(params.shown.peek().prompt) !== JSON.stringify(on.prompt))
      params.edit("prompt", on.prompt, "sliding");
  }

  #tickSound(): void {
    const level = this.sound.read();
    if (level === null) return;
    const { params } = this.#studio.client;
    const field = this.soundField.peek();
    const control = this.numbers.find(({ name }) => name === field);
    const value = params.shown.peek()[field];
    if (!control || typeof value !== "number") return;
    if (this.#soundBase?.field !== field) {
      this.#releaseSound();
      this.#soundBase = { field, value };
    }
    const moved = modulated(control, this.#soundBase.value, this.soundAmount.peek(), level);
    if (moved !== value) params.edit(field, moved, "sliding");
  }

  /** The field goes back to where it was before sound moved it. */
  #releaseSound(): void {
    if (this.#soundBase) this.#studio.client.params.edit(this.#soundBase.field, this.#soundBase.value, "sliding");
    this.#soundBase = null;
  }
}
