import { expect, test } from "vitest";
import { controlsFrom } from "../../src/params/schema";
import { chosenIn, type SizeChoices, shapeOf, sizeChoices, sizeFor } from "../../src/params/sizes";

const side = (value: number) => ({ type: "integer", minimum: 64, maximum: 2048, multipleOf: 8, default: value });

/** The choices of a server whose model makes squares of so many pixels a side. */
function choices(own: number, max_pixels: number, camera: [number, number] | null = null): SizeChoices {
  const controls = controlsFrom({ properties: { width: side(own), height: side(own) } });
  const shape = camera && { width: camera[0], height: camera[1] };
  const made = sizeChoices(controls, max_pixels, shape);
  if (!made) throw new Error("none");
  return made;
}

const sizes = (made: SizeChoices) =>
  made.shapes.map((shape) => [...made.details.values()].map((pixels) => Object.values(sizeFor(shape, pixels, made)).join("×")));

test("each shape has the model's own number of pixels, and two more", () => {
  expect(sizes(choices(256, 1 << 20))).toEqual([
    ["256×256", "384×384", "512×512"],
    ["304×224", "448×336", "592×448"],
    ["336×192", "512×288", "688×384"],
    ["192×336", "288×512", "384×688"],
  ]);
});

test("nothing is larger than the server makes, and what would hardly differ is left out", () => {
  const made = choices(512, 700 * 700);
  expect([...made.details.keys()]).toEqual(["fast", "sharp"]);
  for (const row of sizes(made)) {
    for (const size of row) expect(size.split("×").reduce((pixels, each) => pixels * Number(each), 1)).toBeLessThanOrEqual(700 * 700);
  }
  expect([...choices(1024, 1 << 20).details.keys()]).toEqual(["fast"]);
});

test("a camera of another shape has a choice of its own, one that is longer than any has the longest", () => {
  expect(choices(256, 1 << 20, [640, 480]).shapes.map(({ name }) => name)).toEqual(["1:1", "4:3", "16:9", "9:16"]);
  expect(choices(256, 1 << 20, [480, 640]).shapes.at(-1)?.name).toBe("3:4");
  const long = choices(256, 1 << 20, [2560, 1080]);
  expect(shapeOf(long, { width: 2560, height: 1080 })?.name).toBe("16:9");
  expect(shapeOf(choices(256, 1 << 20), { width: 1280, height: 720 })?.name).toBe("16:9");
});

test("a size says which choice it is, or that it is none", () => {
  const made = choices(256, 1 << 20);
  const chosen = (width: number, height: number) => {
    const { shape, detail } = chosenIn(made, { width, height });
    return [shape?.name ?? null, detail];
  };
  expect(chosen(256, 256)).toEqual(["1:1", "fast"]);
  for (const shape of made.shapes)
    for (const [detail, pixels] of made.details) {
      const { width, height } = sizeFor(shape, pixels, made);
      expect(chosen(width, height)).toEqual([shape.name, detail]);
    }
  expect(chosen(128, 64)).toEqual([null, null]);
});

test("a server that says nothing of sizes has no choices", () => {
  expect(sizeChoices([], 1 << 20, null)).toBeNull();
  expect(sizeChoices(controlsFrom({ properties: { width: side(256), height: side(256) } }), null, null)).toBeNull();
});
