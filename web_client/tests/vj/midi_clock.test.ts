import { expect, test } from "vitest";
import { type ClockHeard, heardClock, isClock, unheard } from "../../src/vj/midi_clock";
import type { Tempo } from "../../src/vj/tempo";

/** Plays messages of a clock, each so much behind the one before, and gives what tempos it says. */
function play(count: number, apart_ms: number | ((index: number) => number), from: ClockHeard = unheard, begin_ms = 0) {
  let [heard, now_ms] = [from, begin_ms];
  const tempos: Tempo[] = [];
  for (let index = 0; index < count; index++) {
    const [next, tempo] = heardClock(heard, [0xf8], now_ms);
    heard = next;
    if (tempo) tempos.push(tempo);
    now_ms += typeof apart_ms === "number" ? apart_ms : apart_ms(index);
  }
  return { heard, tempos, now_ms };
}

test("24 messages are a beat", () => {
  const { tempos } = play(24 * 3 + 1, 500 / 24);
  expect(tempos.map(({ bpm }) => Math.round(bpm * 100) / 100)).toEqual([120, 120, 120]);
  expect(tempos.at(-1)?.origin_ms).toBeCloseTo(1500);
});

test("one that jitters is averaged", () => {
  const { tempos } = play(24 * 8 + 1, (index) => 500 / 24 + (index % 2 ? 4 : -4));
  for (const { bpm } of tempos.slice(3)) expect(bpm).toBeCloseTo(120, 0);
});

test("start says where the beat is", () => {
  const { heard, now_ms } = play(24 + 7, 500 / 24);
  const [started] = heardClock(heard, [0xfa], now_ms);
  const [, tempo] = heardClock(started, [0xf8], now_ms + 5);
  expect(tempo?.origin_ms).toBe(now_ms + 5);
});

test("a pause begins anew, and what is no clock changes nothing", () => {
  const { heard, now_ms } = play(49, 20);
  const { tempos } = play(24, 10, heard, now_ms + 2000);
  expect(tempos).toEqual([]);
  expect(heardClock(heard, [0xf1], 0)).toEqual([heard, null]);
  expect([0xf8, 0xfa, 0xfb, 0x90].map((status) => isClock([status]))).toEqual([true, true, true, false]);
});
