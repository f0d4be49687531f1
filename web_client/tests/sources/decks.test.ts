import { signal } from "@preact/signals";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Problems } from "../../src/problems";
import { ClipBin } from "../../src/sources/clips";
import { Decks, rememberedAt } from "../../src/sources/decks";
import { Fader } from "../../src/sources/fader";
import type { Inputs } from "../../src/sources/inputs";
import type { MixedSource, Picture, Source, SourceKind } from "../../src/sources/source";
import { WHOLE } from "../../src/sources/trim";
import { FakeClock } from "../fakes";

/** A deck's input as far as the decks ask: what is on it, and who is told of it. */
interface FakeDeck {
  own: (Source & { shows: Picture | null }) | null;
  kind: { value: SourceKind | null };
}

function still(name: string, isStill = true): Source & { shows: Picture | null } {
  const shows = { image: name as unknown as CanvasImageSource, width: 64, height: 64, mirrored: false, isBlank: true };
  return {
    isStill,
    shows,
    view: {} as HTMLElement,
    start: async () => {},
    stop() {},
    picture() {
      return this.shows;
    },
  };
}

let clock: FakeClock;
let drawn: string[];
let sent: number;
let a: FakeDeck;
let b: FakeDeck;
let decks: Decks;
let inUse: (MixedSource | null)[];
/** What the browser keeps for as long as the tab lives. */
let tab: Map<string, string>;

beforeEach(() => {
  clock = new FakeClock();
  [drawn, sent, inUse] = [[], 0, []];
  const context = {
    canvas: { width: 64, height: 64 },
    fillRect: () => drawn.push("ground"),
    setTransform() {},
    drawImage: (image: string) => drawn.push(image),
  };
  const element = () => ({
    getContext: () => context,
    append() {},
    addEventListener() {},
    classList: { toggle() {} },
    requestVideoFrameCallback() {},
    cancelVideoFrameCallback() {},
    play: async () => {},
  });
  vi.stubGlobal("document", { createElement: element, addEventListener() {}, body: element() });
  vi.stubGlobal("localStorage", { getItem: () => null, setItem() {} });
  tab = new Map();
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => tab.get(key) ?? null,
    setItem: (key: string, text: string) => tab.set(key, text),
  });
  const mixed = signal<MixedSource | null>(null);
  const file = { video: element(), file: signal(null), duration_s: signal(0) };
  const first = {
    own: still("A"),
    kind: signal<SourceKind | null>("file"),
    canvas: {},
    file,
    mixed,
    changed: () => sent++,
    mixInto: (mix: MixedSource | null) => {
      mixed.value = mix;
      inUse.push(mix);
    },
  };
  a = first;
  const nothing = { read: async () => null, all: async () => [], write: async () => {}, remove: async () => {} };
  decks = new Decks({
    clock,
    problems: { report() {}, clear() {}, mention() {} } as unknown as Problems,
    inputs: first as unknown as Inputs,
    fader: new Fader(clock, () => () => {}),
    clips: new ClipBin({ clock, clips: nothing, files: nothing, look: async () => "", newId: () => "", now_ms: () => 0, mention() {} }),
    size: () => ({ width: 64, height: 64 }),
  });
  Object.defineProperty(decks.b, "own", { value: null, writable: true });
  b = decks.b as unknown as FakeDeck;
});

function fillB(isStill = true): void {
  b.own = still("B", isStill);
  decks.b.kind.value = "file";
}

test("while the second deck is empty nothing is mixed, drawn or sent", () => {
  decks.fader.set(0.5);
  decks.mode.value = "add";
  expect([inUse, drawn, sent]).toEqual([[], [], 0]);
});

test("a mix is sent while the second deck has an input, and the first alone again afterwards", () => {
  fillB();
  expect(inUse).toEqual([decks]);
  decks.b.kind.value = null;
  expect(inUse).toEqual([decks, null]);
});

describe("what is seen", () => {
  beforeEach(() => fillB());

  test("is one deck as it is at either end, blank paper too", () => {
    expect(decks.picture()).toBe(a.own?.shows);
    decks.fader.set(1);
    expect(decks.picture()).toBe(b.own?.shows);
  });

  test("is both between them, drawn once for all who ask", () => {
    decks.fader.set(0.5);
    drawn = [];
    const mixed = decks.picture();
    expect(mixed).toMatchObject({ width: 64, height: 64, mirrored: false });
    expect(mixed?.isBlank).toBeUndefined();
    decks.picture();
    expect(drawn).toEqual(["ground", "A", "B"]);
    decks.touch();
    decks.picture();
    expect(drawn.length).toBe(6);
  });

  test("stays while a deck is between two pictures, and is the other deck alone when that lasts", () => {
    decks.fader.set(0.5);
    decks.picture();
    const shows = b.own?.shows ?? null;
    if (b.own) b.own.shows = null;
    drawn = [];
    decks.touch();
    expect(decks.picture()?.image).toBe(decks.view);
    expect(drawn).toEqual([]);
    clock.pass(1000);
    expect(decks.picture()).toBe(a.own?.shows);
    if (b.own) b.own.shows = shows;
    expect(decks.picture()?.image).toBe(decks.view);
  });

  test("is nothing until a deck that is seen alone has its first picture", () => {
    if (b.own) b.own.shows = null;
    decks.view.width = 0;
    decks.fader.set(1);
    expect(decks.picture()).toBeNull();
  });

  test("is the second deck where the first was lost", () => {
    decks.fader.set(0.3);
    a.own = null;
    decks.picture();
    clock.pass(1000);
    expect(decks.picture()).toBe(b.own?.shows);
  });
});

describe("what is sent", () => {
  test("is nothing of a deck that is not to be seen", () => {
    fillB();
    expect(decks.touch()).toBe(true);
    decks.fader.set(1);
    expect(decks.touch()).toBe(false);
  });

  test("goes with each move of the crossfader, and with another mode", () => {
    fillB();
    sent = 0;
    decks.fader.set(0.2);
    decks.mode.value = "multiply";
    expect(sent).toBe(2);
  });

  test("rests where all that is seen rests", () => {
    fillB(false);
    expect(decks.isStill).toBe(true);
    decks.fader.set(0.5);
    expect(decks.isStill).toBe(false);
    b.own = still("B");
    expect(decks.isStill).toBe(true);
    decks.fader.go(1);
    expect(decks.isStill).toBe(false);
  });
});

test("there is one drawing: on the first deck it is taken off the second", () => {
  fillB();
  decks.b.kind.value = "canvas";
  a.kind.value = "canvas";
  expect(decks.b.kind.value).toBeNull();
});

describe("a reload", () => {
  const clip = { id: "1", name: "one.mp4", type: "video/mp4", addedAt_ms: 0, picture: undefined, trim: WHOLE };
  const kept = () => JSON.parse(tab.get("realtime.decks") || "null");

  test("finds the crossfader where it was going, and what the second deck had", async () => {
    await decks.resume();
    expect(kept()).toBeNull();
    fillB();
    decks.fader.set(0.25);
    expect(kept()).toMatchObject({ at: 0.25 });
    decks.fader.go(1);
    expect(kept()).toMatchObject({ at: 1 });
    decks.b.kind.value = null;
    expect(kept()).toBeNull();
  });

  test("plays the clips that there still are, and goes on with another input", async () => {
    tab.set("realtime.decks", JSON.stringify({ at: 0.25, clips: { a: "gone", b: "1" } }));
    decks.clips.clips.value = [clip];
    const played: unknown[] = [];
    decks.play = async (...asked) => void played.push(asked);
    decks.b.resume = async () => void played.push("resumed");
    expect(rememberedAt()).toBe(0.25);
    await decks.resume();
    expect(played).toEqual([[clip, "b"]]);
    decks.clips.clips.value = [];
    await decks.resume();
    expect(played.at(-1)).toBe("resumed");
  });

  test.each(["no JSON", "7", '{"at": 5, "clips": []}', '{"at": "1", "clips": {"b": 3}}'])("takes nothing of %s", async (text) => {
    tab.set("realtime.decks", text);
    await decks.resume();
    expect(rememberedAt()).toBe(0);
  });
});
