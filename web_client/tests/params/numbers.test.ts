import { expect, test } from "vitest";
import { moved, seedFrom } from "../../src/params/numbers";

const strength = { min: 0, max: 1, step: 0.01 };

test("a number moves by a share of its range, on its steps", () => {
  expect(moved(strength, 0.5, 0.05)).toBe(0.55);
  expect(moved({ min: 1, max: 9, step: 1 }, 3, 0.1)).toBe(4);
});

test("a number stays within its bounds", () => {
  expect(moved(strength, 0.98, 0.05)).toBe(1);
  expect(moved(strength, 0.01, -0.05)).toBe(0);
});

test("twenty moves up and twenty down end where they began", () => {
  let value = 0;
  for (let count = 0; count < 20; count++) value = moved(strength, value, 0.05);
  expect(value).toBe(1);
  for (let count = 0; count < 20; count++) value = moved(strength, value, -0.05);
  expect(value).toBe(0);
});

test("a seed is a whole number within the bounds", () => {
  expect(seedFrom({ min: 0, max: 4294967295 }, 0)).toBe(0);
  expect(seedFrom({ min: 0, max: 4294967295 }, 0.999_999_999_9)).toBe(2 ** 31 - 1);
  expect(seedFrom({ min: 5, max: 6 }, 0.9)).toBe(6);
  expect(seedFrom({ min: null, max: null }, 0)).toBe(0);
});
