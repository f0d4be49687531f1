import { signal } from "@preact/signals";
import { beforeEach, expect, test, vi } from "vitest";
import { controlsFrom } from "../../src/params/schema";
import type { Params, Stats, Value } from "../../src/protocol";
import type { Client } from "../../src/studio/client";
import { Sizing } from "../../src/studio/sizing";

const side = { type: "integer", minimum: 64, maximum: 2048, multipleOf: 8, default: 512 };

beforeEach(() => {
  const texts = new Map<string, string>();
  vi.stubGlobal("document", { hidden: false });
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => texts.get(name) ?? null,
    setItem: (name: string, text: string) => texts.set(name, text),
  });
});

/** A page whose session has this size, and a camera that isn't on yet. */
function page(width = 512, height = 512) {
  const inForce = signal<Params>({ version: 0, width, height });
  const kind = signal<"camera" | null>(null);
  const shape = signal<{ width: number; height: number } | null>(null);
  const stats = signal<Stats | null>(null);
  const client = {
    inputs: { kind, camera: { shape }, source: { isStill: false } },
    settings: { controls: signal(controlsFrom({ properties: { width: side, height: side } })) },
    maxPixels: signal(1 << 20),
    connection: { isOpen: true },
    server: { stats, model: signal("m"), isFrozen: signal(false) },
    params: {
      inForce,
      shown: inForce,
      edit: (field: string, value: Value) => (inForce.value = { ...inForce.peek(), [field]: value }),
    },
  } as unknown as Client;
  const begin = (across: number, down: number) => {
    kind.value = "camera";
    shape.value = { width: across, height: down };
  };
  const size = () => [inForce.peek().width, inForce.peek().height];
  /** Seconds in which a frame's work takes so long. */
  const flow = (seconds: number, denoise: number) => {
    for (let second = 0; second < seconds; second++) {
      stats.value = { fps_out: Math.min(30, 1000 / denoise), stage_ms: { queue: 0, denoise } } as unknown as Stats;
    }
  };
  return { sizing: new Sizing(client), begin, kind, size, flow, params: client.params };
}

test("the first camera gives its shape, and the next one doesn't", () => {
  const { begin, kind, size } = page();
  begin(1280, 720);
  expect(size()).toEqual([688, 384]);
  kind.value = null;
  begin(640, 480);
  expect(size()).toEqual([688, 384]);
});

test("a size that somebody has chosen stays, also over a reload", () => {
  const chosen = page(256, 128);
  chosen.begin(1280, 720);
  expect(chosen.size()).toEqual([256, 128]);
  const { sizing, begin, size } = page();
  sizing.choose({ detail: "sharp" });
  sizing.choose({ detail: "fast" });
  begin(1280, 720);
  expect(size()).toEqual([512, 512]);
  const reloaded = page();
  reloaded.begin(1280, 720);
  expect(reloaded.size()).toEqual([512, 512]);
});

test("what isn't chosen stays as it is", () => {
  const { sizing, size } = page();
  const wide = sizing.choices.value?.shapes.find(({ name }) => name === "16:9");
  if (!wide) throw new Error("no such shape");
  sizing.choose({ shape: wide });
  sizing.choose({ detail: "sharp" });
  expect(sizing.chosen.value).toEqual({ shape: wide, detail: "sharp" });
  expect(Math.abs((size()[0] ?? 0) / (size()[1] ?? 1) - 16 / 9)).toBeLessThan(0.03);
});

test("the first camera gets the sharpest size of its shape that keeps 20 pictures a second", () => {
  const { begin, flow, size, sizing } = page();
  begin(1280, 720);
  flow(15, 10);
  const [width = 0, height = 1] = size();
  expect(sizing.chosen.value?.detail).toBe("sharp");
  expect(Math.abs(width / height - 16 / 9)).toBeLessThan(0.03);
  flow(15, 60);
  expect(sizing.chosen.value?.detail).toBe("fast");
  flow(40, 5);
  expect(sizing.chosen.value?.detail).toBe("fast");
});

test("nothing is tried beside what somebody sets", () => {
  const { begin, flow, size, params } = page();
  begin(1280, 720);
  flow(10, 10);
  params.edit("width", 640, "sliding");
  flow(40, 5);
  expect(size()).toEqual([640, 384]);
});
