import { expect, test } from "vitest";
import { isBlack, isTransparent } from "../../src/sources/sample";

const points = (...values: number[]) => new Uint8ClampedArray(values);

test("black is what a covered lens gives, however opaque", () => {
  expect(isBlack(points(0, 3, 20, 255, 12, 0, 0, 255))).toBe(true);
  expect(isBlack(points(0, 0, 0, 255, 0, 21, 0, 255))).toBe(false);
});

test("one point that lets something through makes a picture transparent", () => {
  expect(isTransparent(points(0, 0, 0, 255, 9, 9, 9, 255))).toBe(false);
  expect(isTransparent(points(0, 0, 0, 255, 9, 9, 9, 254))).toBe(true);
});
