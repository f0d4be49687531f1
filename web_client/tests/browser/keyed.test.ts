import { expect, test } from "vitest";
import { isStacked } from "../../src/browser/keyed";

test.each([
  [512, 512, false],
  [512, 1024, true],
  [360, 640, false],
  [360, 1280, true],
])("%i × %i is stacked: %s", (width, height, stacked) => {
  const shape = height % 320 === 0 ? { width: 360, height: 640 } : { width: 512, height: 512 };

  expect(isStacked(width, height, shape)).toBe(stacked);
  expect(isStacked(width / 2, height / 2, shape)).toBe(stacked);
});
