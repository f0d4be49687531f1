/**
 * Plays a show: beats, cues, knobs and sound move the params. Cues and beats name what is next and how long the way there
 * takes: the server goes it by its own clock, also while this tab sleeps. Knows no page; loaded when it is first wanted.
 */

import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import { flag, kept, oneOf, text, within } from "../browser/kept";
import { type Look, MAX_TRANSITION_S } from "../looks/look";
import { moved, type Presets } from "../looks/presets";
import { available, type Group, type ReadyMade } from "../params/ready_made";
import type { Control, NumberControl } from "../params/schema";
import type { WireTempo } from "../protocol";
import { Controller } from "./controller";
import { type Cue, type Cues, cueFrom, readCues } from "./cues";
import { type Band, bands, modulated } from "./modulation";
import { type Levels, Sound } from "./sound";
import { moveTarget, numbersIn, type PageAction, type Targets } from "./targets";
import {
  beatAt,
  isSameBeat,
  pulseAt,
  retimed,
  secondsOf,
  tapped,
  type Tempo,
  tempoOf,
  USUAL_BPM,
  within as withinTempo,
} from "./tempo";

/** Often enough for a pulse to look smooth, and seldom enough for the server to make a recipe of each. */
const TICK_MS = 50;

/** A minute at the slowest tempo: no transition is longer. */
export const MAX_FADE_BEATS = 30;

/** In what the time of every change is counted. */
export const fadeUnits = ["seconds", "beats"] as const;
export type FadeUnit = (typeof fadeUnits)[number];

const FADE = "transition_s";

export const beatActions = ["nothing", "seed", "preset"] as const;
export type BeatAction = (typeof beatActions)[number];

/** What a part of the sound moves: a setting, or none where it has no name. */
export interface Route {
  readonly field: Signal<string>;
  /** The share of the setting's range that the full level adds; negative takes away. */
  readonly amount: Signal<number>;
  readonly gain: Signal<number>;
}

export const MAX_GAIN = 16;
/** There is far less in the upper bands of most music. */
const USUAL_GAINS: Levels = { all: 1, low: 1, mid: 2, high: 6 };

/** All that a show knows of the page. */
export interface ShowOptions extends Pick<Targets, "shown" | "edit" | "mix" | "crossfade" | "callPreset" | "callClip" | "toggle"> {
  clock: Clock;
  controls: ReadonlySignal<readonly Control[]>;
  presets: ReadonlySignal<Presets>;
  actions: Readonly<Record<PageAction, () => void>>;
  newSeed: (transition_s?: number) => void;
  /** Puts a look in force. */
  apply: (look: Look, transition_s: number) => void;
  /** The look in force, and what it makes. */
  present: () => { look: Look; picture?: string };
  /** Told a tempo that was tapped, turned, typed or heard here. */
  onTempo: (tempo: WireTempo) => void;
  /** Whether a MIDI controller is in use; set when one is first listened to. */
  usesMidi: Signal<boolean>;
}

export class Show {
  readonly tempo = signal<Tempo | null>(null);
  readonly beatAction = kept("beatAction", oneOf(beatActions), "nothing");
  readonly beatsPerAction = kept("beatsPerAction", within(1, 64), 4);
  /** How many beats the way to a new seed or preset takes; at 0 it takes as long as it does by hand. */
  readonly beatsPerFade = kept("beatsPerFade", within(0, MAX_FADE_BEATS), 0);
  /** In beats the time of every change follows the tempo. */
  readonly fadeUnit = kept("fadeUnit", oneOf(fadeUnits), "seconds");
  readonly fadeBeats = kept("fadeBeats", within(0, MAX_FADE_BEATS), 4);
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
  readonly routes = Object.fromEntries(bands.map((band) => [band, routeOf(band)])) as Readonly<Record<Band, Route>>;

  /** The settings that knobs, sound and beat can move. */
  readonly numbers: ReadonlySignal<readonly NumberControl[]>;
  readonly readyMades: ReadonlySignal<readonly ReadyMade[]>;
  readonly presets: ReadonlySignal<Presets>;

  readonly #options: ShowOptions;
  readonly #playing = signal<{ startedAt_ms: number; first: number } | null>(null);
  /** The cue that the server was told of; null where it is to be told. */
  #told: Cue | null = null;
  #taps: readonly number[] = [];
  #preset = -1;
  /** The settings that are moved, and where they stood before. */
  readonly #bases = new Map<string, number>();

  constructor(options: ShowOptions) {
    this.#options = options;
    this.numbers = computed(() => numbersIn(options.controls.value));
    this.readyMades = computed(() => available(options.controls.value));
    this.presets = options.presets;
    const own = { tap: () => this.tap(), cues: () => this.togglePlay(), nextCue: () => this.nextCue() };
    const { numbers, readyMades } = this;
    const targets = { ...options, numbers, readyMades, actions: { ...options.actions, ...own } };
    this.controller = new Controller({
      clock: options.clock,
      move: (target, event) => moveTarget(targets, target, event),
      onTempo: (tempo) => this.#setTempo(tempo),
      isUsed: options.usesMidi,
    });
    effect(() => {
      const tempo = this.tempo.value;
      if (this.fadeUnit.value === "beats" && tempo) this.#fade(secondsOf(tempo, this.fadeBeats.value));
    });
    options.clock.after(TICK_MS, this.#tick);
  }

  /** How long every change takes that has no time of its own, in `fadeUnit`s. */
  get fade(): number {
    const seconds = this.#options.shown.value[FADE];
    return this.fadeUnit.value === "beats" ? this.fadeBeats.value : typeof seconds === "number" ? seconds : 0;
  }

  setFade(length: number): void {
    if (this.fadeUnit.peek() === "beats") this.fadeBeats.value = Math.min(MAX_FADE_BEATS, length);
    else this.#fade(length);
  }

  /** Counts it in seconds or beats from now on; whoever counts in beats has a tempo. */
  setFadeUnit(unit: FadeUnit): void {
    this.fadeUnit.value = unit;
    if (unit === "beats" && !this.tempo.peek()) this.setBpm(USUAL_BPM);
  }

  #fade(seconds: number): void {
    const length_s = Number(Math.min(MAX_TRANSITION_S, seconds).toFixed(3));
    if (this.#options.shown.peek()[FADE] !== length_s) this.#options.edit(FADE, length_s, "sliding", 0);
  }

  /** Another tempo; the beats go on from where they are. */
  setBpm(bpm: number): void {
    this.#setTempo(retimed(this.tempo.peek(), bpm, this.#options.clock.now()));
  }

  /** Halves or doubles the tempo, or whatever the factor is. */
  scaleTempo(factor: number): void {
    const tempo = this.tempo.peek();
    if (tempo && withinTempo(tempo.bpm * factor) === tempo.bpm * factor) this.setBpm(tempo.bpm * factor);
  }

  /** A beat is now. */
  resync(): void {
    const tempo = this.tempo.peek();
    if (tempo) this.#setTempo({ ...tempo, origin_ms: this.#options.clock.now() });
  }

  /** The tempo of a desk or a program, unless it is the one that is played. */
  follow({ bpm, since_s }: WireTempo): void {
    const [now_ms, before] = [this.#options.clock.now(), this.tempo.peek()];
    const tempo = { bpm: withinTempo(bpm), origin_ms: now_ms - since_s * 1000 };
    if (!before || !isSameBeat(before, tempo, now_ms)) this.tempo.value = tempo;
  }

  /** The tempo as it is told others; null without one. */
  get wireTempo(): WireTempo | null {
    const tempo = this.tempo.peek();
    return tempo && { bpm: tempo.bpm, since_s: (this.#options.clock.now() - tempo.origin_ms) / 1000 };
  }

  #setTempo(tempo: Tempo): void {
    this.tempo.value = tempo;
    if (this.wireTempo) this.#options.onTempo(this.wireTempo);
  }

  /** What is ready made of the settings of a group. */
  readyMadesOf(group: Group): ReadyMade[] {
    return available(this.#options.controls.value.filter((control) => control.group === group));
  }

  tap(): void {
    this.#taps = tapped(this.#taps, this.#options.clock.now());
    const tempo = tempoOf(this.#taps);
    if (tempo) this.#setTempo(tempo);
  }

  togglePlay(): void {
    if (this.isPlaying.peek()) this.stop();
    else this.play();
  }

  /** Plays the list from a cue on, which is glided to from what is shown now. */
  play(first = 0): void {
    if (first >= this.cues.peek().length) return;
    this.#playing.value = { startedAt_ms: this.#options.clock.now(), first };
    this.cue.value = first;
    this.#told = null;
    this.#tickCues(this.#options.clock.now());
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
    this.cues.value = [...this.cues.peek(), { ...this.#options.present(), fade_s: 4, hold_s: 8 }];
  }

  moveCueUp(index: number): void {
    this.cues.value = moved(this.cues.peek(), index, -1);
  }

  readonly #tick = (): void => {
    const { clock } = this.#options;
    clock.after(TICK_MS, this.#tick);
    const now_ms = clock.now();
    this.#tickBeat(now_ms);
    this.#tickCues(now_ms);
    this.#tickLevel(now_ms);
  };

  #tickBeat(now_ms: number): void {
    const tempo = this.tempo.peek();
    const beat = tempo ? beatAt(tempo, now_ms) : null;
    if (beat === this.beat.peek()) return;
    this.beat.value = beat;
    if (!tempo || beat === null || beat < 1 || beat % this.beatsPerAction.peek() !== 0) return;
    const { presets, newSeed, callPreset } = this.#options;
    const beats = this.beatsPerFade.peek();
    const fade_s = beats > 0 ? secondsOf(tempo, beats) : undefined;
    if (this.beatAction.peek() === "seed") newSeed(fade_s);
    else if (this.beatAction.peek() === "preset" && presets.peek().length > 0) {
      this.#preset = (this.#preset + 1) % presets.peek().length;
      callPreset(this.#preset, fade_s);
    }
  }

  #tickCues(now_ms: number): void {
    const playing = this.#playing.peek();
    if (!playing) return;
    const elapsed_s = (now_ms - playing.startedAt_ms) / 1000;
    const on = cueFrom(this.cues.peek(), playing.first, elapsed_s, this.loops.peek());
    const cue = on && this.cues.peek()[on.index];
    if (!on || !cue) {
      this.stop();
      return;
    }
    this.cue.value = on.index;
    if (this.#told === cue) return;
    this.#told = cue;
    // A tab that slept is late: what is left of the way is shorter, and the list stays in time.
    this.#options.apply(cue.look, Math.max(0, cue.fade_s - on.since_s));
  }

  /** Sound moves settings, each of its bands one of its own; of all sound and the beat the louder counts. What nothing
   * moves any more goes back. */
  #tickLevel(now_ms: number): void {
    const tempo = this.pulses.peek() ? this.tempo.peek() : null;
    const heard = this.sound.read(levelsOf((band) => this.routes[band].gain.peek()));
    const levels = levelsOf((band) => heard?.[band] ?? 0);
    const pulse = tempo ? pulseAt(tempo, now_ms) : 0;
    const shares = new Map<string, number>();
    for (const band of bands) {
      const { field, amount } = this.routes[band];
      if (field.peek() === "" || (!heard && !(tempo && band === "all"))) continue;
      const level = band === "all" ? Math.max(levels.all, pulse) : levels[band];
      shares.set(field.peek(), (shares.get(field.peek()) ?? 0) + amount.peek() * level);
    }
    const { shown, edit } = this.#options;
    for (const [field, base] of this.#bases) {
      if (shares.has(field)) continue;
      this.#bases.delete(field);
      edit(field, base, "sliding", 0);
    }
    for (const [field, share] of shares) {
      const control = this.numbers.peek().find(({ name }) => name === field);
      const value = shown.peek()[field];
      if (!control || typeof value !== "number") continue;
      const base = this.#bases.get(field) ?? value;
      this.#bases.set(field, base);
      const moved = modulated(control, base, share);
      // At once, whatever the params' own transition is: late by that, it would be off the beat.
      if (moved !== value) edit(field, moved, "sliding", 0);
    }
  }
}

function levelsOf(level: (band: Band) => number): Levels {
  return Object.fromEntries(bands.map((band) => [band, level(band)])) as unknown as Levels;
}

/** As the browser keeps it. */
function routeOf(band: Band): Route {
  const [name, field] = band === "all" ? ["", "strength"] : [`.${band}`, ""];
  return {
    field: kept(`soundField${name}`, text, field),
    amount: kept(`soundAmount${name}`, within(-1, 1), 0.4),
    gain: kept(`soundGain${name}`, within(0, MAX_GAIN), USUAL_GAINS[band]),
  };
}
