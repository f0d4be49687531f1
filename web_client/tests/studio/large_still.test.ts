import { expect, test } from "vitest";
import { scalesOf } from "../../src/studio/large_still";

test("the shorter side comes to 2048 pixels and to no more than is wanted", () => {
  expect(scalesOf(512, 512)).toEqual({ scales: [2, 3, 4], best: 4 });
  expect(scalesOf(768, 512)).toEqual({ scales: [2, 3, 4], best: 4 });
  expect(scalesOf(1024, 768)).toEqual({ scales: [2, 3, 4], best: 3 });
  expect(scalesOf(256, 256)).toEqual({ scales: [2, 3, 4, 6, 8], best: 8 });
});

test("what would be larger than the server makes is not offered", () => {
  expect(scalesOf(2048, 2048)).toEqual({ scales: [2], best: 2 });
  expect(scalesOf(2048, 1024)).toEqual({ scales: [2], best: 2 });
});
