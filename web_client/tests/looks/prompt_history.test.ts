import { describe, expect, test } from "vitest";
import { MAX_PROMPTS, readHistory, remembered, walked } from "../../src/looks/prompt_history";

describe("history", () => {
  test("keeps each prompt once, the newest last", () => {
    expect(["a", "b", " a ", "", "a"].reduce(remembered, [] as readonly string[])).toEqual(["b", "a"]);
  });

  test("forgets the oldest beyond its bound", () => {
    const many = Array.from({ length: 60 }, (_, index) => `prompt ${index}`).reduce(
      remembered,
      [] as readonly string[],
    );
    expect([many.length, many[0], many.at(-1)]).toEqual([MAX_PROMPTS, "prompt 10", "prompt 59"]);
  });

  test("a walk goes back, and forward again to what was being written", () => {
    const start = { back: 0, draft: "new" };
    const [once, newest] = walked(["a", "b"], start, "older") ?? [start, ""];
    const [twice, oldest] = walked(["a", "b"], once, "older") ?? [start, ""];
    expect([newest, oldest]).toEqual(["b", "a"]);
    expect(walked(["a", "b"], twice, "older")).toBeNull();
    const [again] = walked(["a", "b"], twice, "newer") ?? [start];
    expect(walked(["a", "b"], again, "newer")?.[1]).toBe("new");
    expect(walked(["a", "b"], start, "newer")).toBeNull();
  });

  test("a walk does not stop at the prompt it began with", () => {
    expect(walked(["a", "b"], { back: 0, draft: "b" }, "older")?.[1]).toBe("a");
  });

  test("what was kept by somebody else is read with care", () => {
    expect(readHistory(["a", 3, "x".repeat(3000)])).toEqual(["a"]);
    expect(readHistory({})).toBeNull();
  });
});
