import { describe, expect, test } from "vitest";
import { RewindRing } from "../../src/keep/rewind";
import type { Params } from "../../src/protocol";

const params: Params = { version: 4, width: 64, height: 64, prompt: "müde", strength: 0.25 };

describe("the rewind", () => {
  const moment = (at_ms: number, bytes = 1) => ({ at_ms, picture: new Blob([new Uint8Array(bytes)]), params });

  test("reaches back as far as its span", () => {
    const ring = new RewindRing(1000, 100);
    for (let at_ms = 0; at_ms <= 3000; at_ms += 500) ring.add(moment(at_ms));
    expect(ring.moments().map(({ at_ms }) => at_ms)).toEqual([2000, 2500, 3000]);
  });

  test("is bounded by bytes too", () => {
    const ring = new RewindRing(100_000, 100);
    for (let at_ms = 0; at_ms < 10; at_ms++) ring.add(moment(at_ms, 40));
    expect([ring.moments().length, ring.bytes]).toEqual([2, 80]);
  });

  test("does not move under who scrubs", () => {
    const ring = new RewindRing(1000, 100);
    ring.add(moment(0));
    const held = ring.moments();
    ring.add(moment(5000));
    expect(held.map(({ at_ms }) => at_ms)).toEqual([0]);
  });
});
