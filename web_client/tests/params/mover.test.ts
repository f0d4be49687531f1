import { beforeEach, expect, test } from "vitest";
import { Mover } from "../../src/params/mover";
import type { Params } from "../../src/protocol";
import { FakeClock } from "../fakes";

const params = { version: 1, width: 64, height: 64, seed_travel: 0 } as Params;

let clock: FakeClock;
let sentAt_ms: number[];
let mover: Mover;

beforeEach(() => {
  clock = new FakeClock();
  sentAt_ms = [];
  mover = new Mover(clock, () => sentAt_ms.push(clock.now()));
});

test("a picture that rests is sent again until the glide is over, and once behind its end", () => {
  mover.follow(params, 1);
  clock.pass(5_000);
  expect(sentAt_ms.length).toBeGreaterThan(30);
  expect(sentAt_ms.at(-1)).toBeGreaterThan(1_000);
  expect(sentAt_ms.at(-1)).toBeLessThan(1_200);
});

test.each(["seed_travel", "feedback"])("%s has no end, until it is 0", (field) => {
  mover.follow({ ...params, [field]: 0.5 }, 0);
  clock.pass(60_000);
  const sent = sentAt_ms.length;
  mover.follow(params, 0);
  clock.pass(60_000);
  expect(sent).toBeGreaterThan(1_700);
  expect(sentAt_ms).toHaveLength(sent);
});

test("new params take the place of those before: nothing is sent twice as often", () => {
  mover.follow(params, 1);
  mover.follow(params, 1);
  clock.pass(330);
  expect(sentAt_ms).toHaveLength(10);
});

test("where nothing glides nothing is sent again", () => {
  mover.follow(params, 0);
  clock.pass(5_000);
  expect(sentAt_ms).toEqual([]);
});

test("a calm picture that rests is sent again until the server repeats itself", () => {
  mover.follow({ ...params, calm: 0.5 }, 0);
  for (let i = 0; i < 20; i++) {
    mover.answered(i === 0); // to what was sent before
    clock.pass(33);
  }
  const sent = sentAt_ms.length;
  for (let i = 0; i < 3; i++) mover.answered(true);
  clock.pass(60_000);
  expect(sent).toBe(20);
  expect(sentAt_ms).toHaveLength(sent + 1); // which was due before
});

test("a calm picture is on its way again when it is drawn on, and not for ever where nothing is repeated", () => {
  mover.follow({ ...params, calm: 0.5 }, 0);
  clock.pass(60_000);
  const sent = sentAt_ms.length;
  mover.changed();
  clock.pass(60_000);
  expect(sent).toBeGreaterThan(250);
  expect(sent).toBeLessThan(310);
  expect(sentAt_ms).toHaveLength(2 * sent);
});

test("a calm picture comes to rest behind the end of a glide, whatever is repeated on the way", () => {
  mover.follow({ ...params, calm: 0.5 }, 1);
  for (let i = 0; i < 5; i++) mover.answered(true);
  clock.pass(2_000);
  expect(sentAt_ms.at(-1)).toBeGreaterThan(1_900);
  for (let i = 0; i < 3; i++) mover.answered(true);
  clock.pass(5_000);
  expect(sentAt_ms.at(-1)).toBeLessThan(2_100);
});

test("a picture that is not calm and drawn on is not sent again", () => {
  mover.follow(params, 0);
  mover.changed();
  clock.pass(5_000);
  expect(sentAt_ms).toEqual([]);
});
