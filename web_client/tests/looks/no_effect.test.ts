import { describe, expect, test } from "vitest";
import { whyNoEffect } from "../../src/looks/no_effect";

describe("without effect", () => {
  test.each([
    ["negative_prompt", "none", 5, "negativeIgnored"],
    ["negative_prompt", "embedded", 5, "negativeIgnored"],
    ["negative_prompt", "cfg", 1, "guidanceOff"],
    ["negative_prompt", "cfg", 1.1, null],
    ["negative_prompt", null, 1, null],
    ["guidance_scale", "none", 5, "guidanceIgnored"],
    ["guidance_scale", "embedded", 5, null],
    ["strength", "none", 5, null],
  ] as const)("%s, guidance %s at %d: %s", (field, guidance, guidance_scale, why) => {
    expect(whyNoEffect(field, guidance, { guidance_scale })).toBe(why);
  });
});
