import { beforeEach, expect, test } from "vitest";
import { Problems } from "../src/problems";
import { FakeClock } from "./fakes";

let clock: FakeClock;
let problems: Problems;

beforeEach(() => {
  clock = new FakeClock();
  problems = new Problems(clock);
});

test("a scope holds the newest problem until it is cleared", () => {
  problems.report("source", "cameraBusy");
  problems.report("source", "cameraLost", "unplugged");
  problems.report("params", "noSchema");
  expect([...problems.current.value]).toEqual([
    ["source", { kind: "cameraLost", detail: "unplugged" }],
    ["params", { kind: "noSchema", detail: "" }],
  ]);
  problems.clear("source");
  expect([...problems.current.value.keys()]).toEqual(["params"]);
});

test("what was refused once is forgotten after a while", () => {
  problems.mention("noRewind");
  clock.pass(7_999);
  expect(problems.current.value.get("output")?.kind).toBe("noRewind");
  clock.pass(1);
  expect(problems.current.value.size).toBe(0);
});

test("a newer mention has all of its own time", () => {
  problems.mention("noRewind");
  clock.pass(5_000);
  problems.mention("noSnapshot");
  clock.pass(5_000);
  expect(problems.current.value.get("output")?.kind).toBe("noSnapshot");
  clock.pass(3_000);
  expect(problems.current.value.size).toBe(0);
});
