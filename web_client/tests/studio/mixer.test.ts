import { beforeEach, expect, test, vi } from "vitest";
import type { Client } from "../../src/studio/client";
import { Mixer } from "../../src/studio/mixer";

const opened = vi.hoisted(() => ({ count: 0, followed: [] as unknown[], connected: 0 }));
vi.mock("../../src/studio/decks", () => ({
  openDecks: () => {
    opened.count++;
    const there = { follow: (crossfade: unknown) => opened.followed.push(crossfade), connected: (theirs: unknown) => (opened.connected++, theirs && opened.followed.push(theirs)) };
    return { decks: { fader: { at: { peek: () => 0.5 }, set: (at: number) => opened.followed.push(at) } }, there };
  },
}));

let tab: Map<string, string>;
let mixer: Mixer;

beforeEach(() => {
  Object.assign(opened, { count: 0, followed: [], connected: 0 });
  tab = new Map();
  vi.stubGlobal("sessionStorage", { getItem: (key: string) => tab.get(key) ?? null, setItem() {} });
  mixer = new Mixer({} as Client);
});

test("a page of one input has no decks: keys and connections change nothing", async () => {
  await mixer.resume();
  mixer.cut();
  mixer.step(1);
  mixer.callClip(0);
  mixer.connected();
  expect([mixer.decks.value, opened.count]).toEqual([null, 0]);
});

test("decks that a reload has interrupted are opened, once", async () => {
  tab.set("realtime.decks", '{"at":1}');
  await mixer.resume();
  await mixer.open();
  expect(opened.count).toBe(1);
  mixer.connected();
  mixer.step(-1);
  expect([opened.connected, opened.followed]).toEqual([1, [0.45]]);
});

test("somebody who moves the crossfader from elsewhere opens them", async () => {
  await mixer.follow({ at: 1, transition_s: 2 });
  expect([opened.count, opened.followed]).toEqual([1, [{ at: 1, transition_s: 2 }]]);
});

test("where others have moved it while there was no page opens the decks there, and the first deck alone does not", async () => {
  await mixer.connected({ at: 0, transition_s: 0 });
  expect(opened.count).toBe(0);
  await mixer.connected({ at: 0.6, transition_s: 2 });
  expect([opened.count, opened.followed]).toEqual([1, [{ at: 0.6, transition_s: 2 }]]);
});
