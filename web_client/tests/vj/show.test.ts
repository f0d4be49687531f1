import { type Signal, signal } from "@preact/signals";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Presets } from "../../src/looks/presets";
import type { Control } from "../../src/params/schema";
import type { Value, WireTempo } from "../../src/protocol";
import { Show } from "../../src/vj/show";
import { type PageAction, pageActions } from "../../src/vj/targets";
import { FakeClock } from "../fakes";

const strength = { kind: "number", name: "strength", min: 0, max: 1, step: 0.01 } as Control;
const amount = { ...strength, name: "amount", max: 2 } as Control;
const calm = { kind: "number", name: "calm", group: "calm", min: null, max: null } as Control;

let clock: FakeClock;
let show: Show;
let shown: Signal<Readonly<Record<string, Value>>>;
let presets: Signal<Presets>;
let called: number[];
let seeds: number;
let fades_s: (number | undefined)[];
let told: WireTempo[];

beforeEach(() => {
  vi.stubGlobal("localStorage", { getItem: () => null, setItem() {} });
  clock = new FakeClock();
  shown = signal<Readonly<Record<string, Value>>>({ prompt: "ink", strength: 0.5 });
  presets = signal<Presets>([]);
  called = [];
  seeds = 0;
  fades_s = [];
  told = [];
  const nothing = Object.fromEntries(pageActions.map((action) => [action, () => {}])) as Record<PageAction, () => void>;
  show = new Show({
    clock,
    controls: signal([strength, amount, calm]),
    presets,
    shown,
    edit: (field, value, _, transition_s) => {
      shown.value = { ...shown.value, [field]: value };
      fades_s.push(transition_s);
    },
    mix() {},
    crossfade() {},
    callClip() {},
    toggle() {},
    callPreset: (index, transition_s) => {
      called.push(index);
      fades_s.push(transition_s);
    },
    actions: nothing,
    newSeed: (transition_s) => {
      seeds++;
      fades_s.push(transition_s);
    },
    usesMidi: signal(false),
    apply: (look, transition_s) => {
      shown.value = { ...shown.value, ...look };
      fades_s.push(transition_s);
    },
    present: () => ({ look: { prompt: "present", strength: 0.1 } }),
    onTempo: (tempo) => told.push(tempo),
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
    expect(fades_s).toEqual([undefined, undefined, undefined]);
  });

  test("the way there takes so many beats", () => {
    show.beatAction.value = "seed";
    show.beatsPerAction.value = 4;
    show.beatsPerFade.value = 3;
    tapTempo();
    clock.pass(2_000);
    expect(fades_s).toEqual([1.5]);
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
      { look: { prompt: "oil" }, fade_s: 2, hold_s: 2 },
      { look: { prompt: "pen" }, fade_s: 0, hold_s: 4 },
    ];
    show.loops.value = false;
  });

  test("are told once each, with the time that the way there takes, and end", () => {
    show.play();
    expect([shown.value.prompt, fades_s]).toEqual(["oil", [2]]);
    clock.pass(3_900);
    expect([show.cue.value, shown.value.prompt, fades_s]).toEqual([0, "oil", [2]]);
    clock.pass(100);
    expect([show.cue.value, shown.value.prompt, fades_s]).toEqual([1, "pen", [2, 0]]);
    clock.pass(4_000);
    expect([show.isPlaying.value, show.cue.value, shown.value.prompt, fades_s.length]).toEqual([false, null, "pen", 2]);
  });

  test("of a tab that slept are told late, with what is left of their way", () => {
    show.cues.value = [
      { look: { prompt: "oil" }, fade_s: 0, hold_s: 0.02 },
      { look: { prompt: "pen" }, fade_s: 4, hold_s: 4 },
    ];
    show.play();
    clock.pass(60);
    expect(shown.value.prompt).toBe("pen");
    expect(fades_s[1]).toBeCloseTo(3.97);
  });

  test("leave what was chosen meanwhile alone, and come again when they are called", () => {
    show.play();
    clock.pass(1_000);
    shown.value = { prompt: "by hand" };
    clock.pass(1_000);
    expect(shown.value.prompt).toBe("by hand");
    show.play();
    expect(shown.value.prompt).toBe("oil");
  });

  test("that are changed while they are on are told again", () => {
    show.play();
    clock.pass(1_000);
    show.cues.value = [{ look: { prompt: "charcoal" }, fade_s: 2, hold_s: 2 }];
    clock.pass(50);
    expect(shown.value.prompt).toBe("charcoal");
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
  show.routes.all.amount.value = 0.4;
  tapTempo();
  clock.pass(50);
  expect(shown.value.strength).toBeGreaterThan(0.8);
  show.pulses.value = false;
  clock.pass(50);
  expect(shown.value.strength).toBe(0.5);
  expect(new Set(fades_s)).toEqual(new Set([0]));
});

/** Makes the microphone hear this, once it is listened to. */
function hear(levels: { all?: number; low?: number; mid?: number; high?: number } | null): void {
  show.sound.read = () => levels && { all: 0, low: 0, mid: 0, high: 0, ...levels };
}

test("each band moves a setting of its own, by its own amount, and those of one setting add up", () => {
  hear({ all: 1, low: 0.5, high: 1 });
  show.routes.all.field.value = "";
  show.routes.low.field.value = "strength";
  show.routes.low.amount.value = 0.4;
  show.routes.high.field.value = "strength";
  show.routes.high.amount.value = -0.1;
  clock.pass(50);
  expect(shown.value.strength).toBeCloseTo(0.6);
  hear({ low: 1 });
  clock.pass(50);
  expect(shown.value.strength).toBeCloseTo(0.9);
});

test("what a band no longer moves goes back, and nothing moves while nothing is heard", () => {
  shown.value = { ...shown.value, amount: 1 };
  hear({ low: 1, mid: 1 });
  show.routes.all.field.value = "";
  show.routes.low.field.value = "strength";
  show.routes.mid.field.value = "amount";
  clock.pass(50);
  expect(shown.value.strength).toBeCloseTo(0.9);
  expect(shown.value.amount).toBeCloseTo(1.8);
  show.routes.low.field.value = "";
  clock.pass(50);
  expect(shown.value).toMatchObject({ strength: 0.5, amount: 1.8 });
  hear(null);
  clock.pass(50);
  expect(shown.value).toMatchObject({ strength: 0.5, amount: 1 });
});

test("only settings with a range can be moved", () => {
  expect(show.numbers.value.map(({ name }) => name)).toEqual(["strength", "amount"]);
});

test("what is ready made is found by its group, as far as there are controls for it", () => {
  expect(show.readyMadesOf("calm").map(({ name }) => name)).toEqual(["steady", "verySteady"]);
  expect(show.readyMadesOf("motion")).toEqual([]);
});

describe("the time of every change", () => {
  test("in seconds is the params' own", () => {
    show.setFade(2.5);
    expect([shown.value.transition_s, show.fade]).toEqual([2.5, 2.5]);
    show.setFade(600);
    expect(show.fade).toBe(60);
  });

  test("in beats follows the tempo", () => {
    show.setFadeUnit("beats");
    expect([show.tempo.value?.bpm, show.fade, shown.value.transition_s]).toEqual([120, 4, 2]);
    show.setBpm(60);
    expect(shown.value.transition_s).toBe(4);
    show.setFade(8);
    expect([show.fade, shown.value.transition_s]).toEqual([8, 8]);
  });
});

describe("the tempo", () => {
  test("is typed, halved and doubled, and its beats go on from where they are", () => {
    tapTempo();
    clock.pass(125);
    show.setBpm(60);
    clock.pass(700);
    expect(show.beat.value).toBe(0);
    clock.pass(100);
    expect(show.beat.value).toBe(1);
    show.scaleTempo(2);
    show.scaleTempo(2);
    show.scaleTempo(2);
    expect(show.tempo.value?.bpm).toBe(240);
  });

  test("has a beat when it is told so", () => {
    tapTempo();
    clock.pass(300);
    show.resync();
    expect(show.wireTempo).toEqual({ bpm: 120, since_s: 0 });
  });

  test("that is made here is told others, and theirs is followed and not told back", () => {
    tapTempo();
    expect(told).toEqual([{ bpm: 120, since_s: 0 }]);
    show.follow({ bpm: 90, since_s: 0.1 });
    expect([show.tempo.value?.bpm, told.length]).toEqual([90, 1]);
    expect(show.wireTempo?.since_s).toBeCloseTo(0.1);
  });

  test("of others that is the one that is played changes nothing", () => {
    tapTempo();
    const before = show.tempo.value;
    show.follow({ bpm: 120, since_s: 0.49 });
    show.follow({ bpm: 120, since_s: 1.01 });
    expect(show.tempo.value).toBe(before);
  });
});

test("a cue is added with the whole look", () => {
  show.addCue();
  expect(show.cues.value).toEqual([{ look: { prompt: "present", strength: 0.1 }, fade_s: 4, hold_s: 8 }]);
});
