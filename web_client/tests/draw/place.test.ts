import { expect, test } from "vitest";
import { magnify, MAX_ZOOM, pan, reveal, WHOLE } from "../../src/draw/place";

test("what lies under the pointer stays there when it is magnified", () => {
  const place = magnify(WHOLE, 2, { x: 0.25, y: 0.75 });
  expect(place).toEqual({ zoom: 2, x: -0.25, y: -0.75 });
});

test("the picture is never smaller than the pane, nor beside it", () => {
  const near = magnify(WHOLE, 4, { x: 0, y: 0 });
  expect(magnify(near, 0.01, { x: 0.9, y: 0.9 })).toEqual(WHOLE);
  expect(pan(near, 5, -50)).toEqual({ zoom: 4, x: 0, y: -3 });
  expect(magnify(WHOLE, 1000, { x: 0.5, y: 0.5 }).zoom).toBe(MAX_ZOOM);
});

test("a point out of view is brought to the edge, one in view moves nothing", () => {
  const near = magnify(WHOLE, 2, { x: 0, y: 0 });
  expect(reveal(near, 0.25, 0.25)).toEqual(near);
  expect(reveal(near, 0.75, 0.25)).toEqual({ zoom: 2, x: -0.5, y: 0 });
});
