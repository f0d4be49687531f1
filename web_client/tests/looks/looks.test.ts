import { beforeEach, expect, test, vi } from "vitest";
import { Looks } from "../../src/looks/looks";
import type { Params, Value } from "../../src/protocol";

let params: Params;
let picture: string | undefined;
let edits: [string, Value, number | undefined][];
let looks: Looks;

beforeEach(() => {
  vi.stubGlobal("localStorage", { getItem: () => null, setItem() {} });
  params = { version: 1, width: 64, height: 64, prompt: "ink", strength: 0.5, transition_s: 3 };
  picture = "/9j/AAAA";
  edits = [];
  looks = new Looks({
    params: () => params,
    shown: () => params,
    edit: (field, value, _, transition_s) => edits.push([field, value, transition_s]),
    picture: () => picture,
    unnamed: () => "Look",
    say() {},
  });
});

test("a look is saved with its picture, and is the one that was called", () => {
  looks.save();
  expect(looks.presets.value).toEqual([{ name: "ink", look: { prompt: "ink", strength: 0.5 }, picture }]);
  expect(looks.called.value).toBe("ink");
});

test("one that is called comes in the time of every change, or its own", () => {
  looks.presets.value = [
    { name: "a", look: { prompt: "oil" } },
    { name: "b", look: { prompt: "pen", transition_s: 2 } },
  ];
  looks.call(0);
  looks.call(1);
  looks.call(7);
  expect(edits).toEqual([
    ["prompt", "oil", undefined],
    ["prompt", "pen", 2],
  ]);
  expect(looks.called.value).toBe("b");
});

test("whoever puts a look in force has called it, and it stays called while hands move what it set", () => {
  looks.presets.value = [
    { name: "a", look: { prompt: "ink" } },
    { name: "b", look: { prompt: "oil" } },
    { name: "b too", look: { prompt: "oil" } },
  ];
  const after = (prompt: string) => {
    looks.note({ ...params, prompt }, looks.presets.value);
    return looks.called.value;
  };
  expect([after("none of them"), after("ink"), after("by hand"), after("oil")]).toEqual([null, "a", "a", "b"]);
  looks.called.value = "b too";
  expect(after("oil")).toBe("b too");
});
