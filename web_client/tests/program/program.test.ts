import { beforeEach, expect, test } from "vitest";
import type { ProgramLayer } from "../../src/program/mix";
import { Program } from "../../src/program/program";
import { PAPER } from "../../src/sources/crop";
import type { Picture } from "../../src/sources/source";

class FakeCanvas {
  width = 0;
  height = 0;
  readonly drawn: string[] = [];
  #left_px = 0;
  readonly #context = {
    fillStyle: "",
    fillRect: () => this.drawn.push(this.#context.fillStyle === PAPER ? "paper" : "black"),
    save() {},
    restore() {},
    beginPath() {},
    rect: (x: number) => this.drawn.push(`from ${x}`),
    clip() {},
    setTransform: (...matrix: number[]) => {
      this.#left_px = matrix[4] ?? 0;
    },
    drawImage: (image: unknown) => this.drawn.push(`${String(image)} at ${this.#left_px}`),
  };

  getContext() {
    return this.#context;
  }
}

const picture = (image: string): Picture => ({
  image: image as unknown as CanvasImageSource,
  width: 64,
  height: 64,
  mirrored: false,
});

let layers: ProgramLayer[];
let canvas: FakeCanvas;
let program: Program;
let input: Picture | null;

const target = () => canvas as unknown as HTMLCanvasElement;

beforeEach(() => {
  layers = [{ what: "output", opacity: 1, from: 0 }];
  input = picture("input");
  canvas = new FakeCanvas();
  program = new Program({
    layers: () => layers,
    input: () => input,
    output: () => picture("output"),
    size: () => ({ width: 100, height: 50 }),
  });
});

test("a target is drawn at once, in the size of the pictures", () => {
  program.add({ canvas: target() });
  expect([canvas.width, canvas.height]).toEqual([100, 50]);
  expect(canvas.drawn).toEqual(["black", "from 0", "output at 0"]);
});

test("layers lie over each other, cut where their part begins", () => {
  layers = [
    { what: "input", opacity: 1, from: 0 },
    { what: "output", opacity: 1, from: 0.25 },
  ];
  program.add({ canvas: target() });
  expect(canvas.drawn).toEqual(["black", "from 0", "paper", "input at 0", "from 25", "output at 0"]);
});

test("a target with the input beside it is twice as wide", () => {
  program.add({ canvas: target(), isBeside: true });
  expect(canvas.width).toBe(200);
  expect(canvas.drawn).toEqual(["black", "from 0", "paper", "input at 0", "from 100", "output at 100"]);
});

test("only a change of what is on air draws again", () => {
  program.add({ canvas: target() });
  canvas.drawn.length = 0;
  program.changed("input");
  expect(canvas.drawn).toEqual([]);
  program.changed("output");
  expect(canvas.drawn).toContain("output at 0");
});

test("no layer and no picture leave it black", () => {
  layers = [];
  program.add({ canvas: target() });
  layers = [{ what: "input", opacity: 1, from: 0 }];
  input = null;
  program.changed("mix");
  expect(canvas.drawn).toEqual(["black", "black"]);
});

test("a removed target is left alone, and a drawn one is told", () => {
  let drawn = 0;
  const remove = program.add({ canvas: target(), onDrawn: () => drawn++ });
  program.changed("mix");
  remove();
  program.changed("mix");
  expect(drawn).toBe(2);
});
