import { describe, expect, test } from "vitest";
import { fragmentFor, presetIn } from "../../src/looks/fragment";

describe("an address", () => {
  test("carries a preset there and back, whatever its letters", () => {
    const preset = { name: "Süß 🎨?", look: { prompt: "日本画 +/=", strength: 0.35 } };
    const fragment = fragmentFor(preset);
    expect(fragment).toMatch(/^#preset=[\w-]+$/);
    expect(presetIn(fragment)).toEqual(preset);
  });

  test.each(["", "#", "#preset=", "#preset=%%%", "#preset=bm9uZQ", "#other=1", `#preset=${"A".repeat(40_000)}`])(
    "with the fragment %# has none",
    (fragment) => {
      expect(presetIn(fragment)).toBeNull();
    },
  );
});
