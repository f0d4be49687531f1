import { expect, test } from "vitest";
import { hex, MAX_RECENT, PALETTE, readColour, readRecent, used } from "../../src/draw/colours";

test("colours are written with two digits a part", () => {
  expect(hex(0, 10, 255)).toBe("#000aff");
});

test("the colour used last comes first, and once", () => {
  expect(used(["#111111", "#222222"], "#222222")).toEqual(["#222222", "#111111"]);
});

test("only so many are remembered, and none of the palette", () => {
  const many = Array.from({ length: 20 }, (_, index) => hex(index, 1, 1)).reduce<readonly string[]>(used, []);
  expect(many).toHaveLength(MAX_RECENT);
  expect(used(many, PALETTE[0] as string)).toBe(many);
});

test("of what was kept only colours are taken", () => {
  expect(readRecent(["#123456", "red", 7, "url(x)"])).toEqual(["#123456"]);
  expect(readRecent({})).toBeNull();
  expect(readColour("#123456")).toBe("#123456");
  expect(readColour("red")).toBeNull();
});
