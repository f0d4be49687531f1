import { type Signal, signal } from "@preact/signals";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Presets } from "../../src/looks/presets";
import type { Control } from "../../src/params/schema";
import type { Value } from "../../src/protocol";
import { Show } from "../../src/vj/show";
import { type PageAction, pageActions } from "../../src/vj/targets";
import { FakeClock } from "../fakes";

const strength = { kind: "number", name: "strength", min: 0, max: 1, step: 0.01 } as Control;

let clock: FakeClock;
let show: Show;
let shown: Signal<Readonly<Record<string, Value>>>;
let presets: Signal<Presets>;
let called: number[];
let seeds: number;

beforeEach(() => {
  vi.stubGlobal("localStorage", { getItem: () => null, setItem() {} });
  clock = new FakeClock();
  shown = signal<Readonly<Record<string, Value>>>({ prompt: "ink", strength: 0.5 });
  presets = signal<Presets>([]);
  called = [];
  seeds = 0;
  const nothing = Object.fromEntries(pageActions.map((action) => [action, () => {}])) as Record<PageAction, () => void>;
  show = new Show({
    clock,
    controls: signal([strength]),
    presets,
    shown,
    edit: (field, value) => (shown.value = { ...shown.value, [field]: value }),
    mix() {},
    callPreset: (index) => called.push(index),
    actions: { ...nothing, seed: () => seeds++ },
    usesMidi: signal(false),
  });
});

/** Two beats a second, counted from the last tap. */
function tapTempo(): void {
  show.tap();
  clock.pass(500);
  show.tap();
}

describe("on the beat", () => {
  test("a new seed comes every so many beats", () => {
    show.beatAction.value = "seed";
    show.beatsPerAction.value = 2;
    tapTempo();
    expect(show.tempo.value?.bpm).toBe(120);
    clock.pass(2_000);
    expect(seeds).toBe(2);
  });

  test("presets come round", () => {
    presets.value = ["a", "b"].map((name) => ({ name, look: {} }));
    show.beatAction.value = "preset";
    show.beatsPerAction.value = 1;
    tapTempo();
    clock.pass(1_500);
    expect(called).toEqual([0, 1, 0]);
  });

  test("without a tempo nothing comes", () => {
    show.beatAction.value = "seed";
    clock.pass(60_000);
    expect([seeds, show.beat.value]).toEqual([0, null]);
  });
});

describe("cues", () => {
  beforeEach(() => {
    show.cues.value = [
      { prompt: "oil", fade_s: 2, hold_s: 2 },
      { prompt: "pen", fade_s: 0, hold_s: 4 },
    ];
    show.loops.value = false;
  });

  test("fade from what is on, follow each other and end", () => {
    show.play();
    clock.pass(1_000);
    expect(shown.value.prompt).toEqual([
      { text: "ink", weight: 0.5 },
      { text: "oil", weight: 0.5 },
    ]);
    clock.pass(2_000);
    expect([show.cue.value, shown.value.prompt]).toEqual([0, "oil"]);
    clock.pass(2_000);
    expect([show.cue.value, shown.value.prompt]).toEqual([1, "pen"]);
    clock.pass(4_000);
    expect([show.isPlaying.value, show.cue.value, shown.value.prompt]).toEqual([false, null, "pen"]);
  });

  test("the next one comes at once, and after the last one nothing or the first", () => {
    show.nextCue();
    show.nextCue();
    expect(show.cue.value).toBe(1);
    show.nextCue();
    expect(show.isPlaying.value).toBe(false);
    show.nextCue();
    show.nextCue();
    show.loops.value = true;
    show.nextCue();
    expect(show.cue.value).toBe(0);
  });
});

test("a setting pulses with the tempo, and goes back when that ends", () => {
  show.pulses.value = true;
  show.soundAmount.value = 0.4;
  tapTempo();
  clock.pass(50);
  expect(shown.value.strength).toBeGreaterThan(0.8);
  show.pulses.value = false;
  clock.pass(50);
  expect(shown.value.strength).toBe(0.5);
});

test("only settings with a range can be moved", () => {
  expect(show.numbers.value.map(({ name }) => name)).toEqual(["strength"]);
});
