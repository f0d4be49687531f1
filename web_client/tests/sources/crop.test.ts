import { expect, test } from "vitest";
import { centreCrop } from "../../src/sources/crop";

test.each([
  [1280, 720, 256, 256, { x: 280, y: 0, width: 720, height: 720 }],
  [720, 1280, 256, 256, { x: 0, y: 280, width: 720, height: 720 }],
  [640, 480, 512, 384, { x: 0, y: 0, width: 640, height: 480 }],
  [100, 100, 512, 256, { x: 0, y: 25, width: 100, height: 50 }],
])("the centre of %i×%i in the shape of %i×%i", (width, height, toWidth, toHeight, crop) => {
  expect(centreCrop(width, height, toWidth, toHeight)).toEqual(crop);
});
