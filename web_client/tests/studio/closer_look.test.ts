import { expect, test } from "vitest";
import { CloserLook } from "../../src/studio/closer_look";
import { FakeClock } from "../fakes";

function look() {
  const clock = new FakeClock();
  return { clock, look: new CloserLook<string>(clock) };
}

test("a pointer that rests shows what it rests on, one that passes shows nothing", () => {
  const { clock, look: closer } = look();
  closer.rest("comic");
  clock.pass(100);
  closer.end();
  clock.pass(1000);
  expect(closer.shown.value).toBeNull();
  closer.rest("comic");
  clock.pass(400);
  expect(closer.shown.value).toBe("comic");
});

test("the next one is shown at once, and none when the pointer is gone", () => {
  const { clock, look: closer } = look();
  closer.rest("comic");
  clock.pass(400);
  closer.rest("anime");
  expect(closer.shown.value).toBe("anime");
  closer.end();
  expect(closer.shown.value).toBeNull();
});

test("a finger that holds one looks at it, and lifting it presses nothing", () => {
  const { clock, look: closer } = look();
  closer.hold("comic");
  clock.pass(500);
  expect(closer.shown.value).toBe("comic");
  expect(closer.press()).toBe(false);
  expect(closer.shown.value).toBeNull();
});

test("a short touch, and a click on what is seen large, are presses", () => {
  const { clock, look: closer } = look();
  closer.hold("comic");
  clock.pass(100);
  expect(closer.press()).toBe(true);
  clock.pass(1000);
  expect(closer.shown.value).toBeNull();
  closer.rest("comic");
  clock.pass(400);
  expect([closer.press(), closer.shown.value]).toEqual([true, null]);
});

test("closed, it stays away until one is pointed at anew", () => {
  const { clock, look: closer } = look();
  closer.rest("comic");
  clock.pass(400);
  closer.end();
  clock.pass(5000);
  expect(closer.shown.value).toBeNull();
});
