import { expect, test, vi } from "vitest";
import { Keeper, type KeptDrawing } from "../../src/draw/keeper";
import { type Layers, oneLayer } from "../../src/draw/layers";
import { FakeClock, settled } from "../fakes";

function setUp(kept: KeptDrawing | null = null) {
  const clock = new FakeClock();
  const written: KeptDrawing[] = [];
  const restored: [Layers, ReadonlyMap<number, unknown>][] = [];
  const touched = new Set<number>();
  const layers = { now: oneLayer(1) };
  let drawn = 0;
  const keeper = new Keeper({
    clock,
    drawing: {
      layers: { peek: () => layers.now } as never,
      restore: (...drawing) => void restored.push(drawing),
      takeTouched: () => {
        const ids = [...touched];
        touched.clear();
        return ids;
      },
      png: async (id) => new Blob([`${id}:${drawn++}`]),
    },
    store: { read: async () => kept, write: async (drawing) => void written.push(drawing) },
    decode: async (png) => (await png.text()) as never,
  });
  const draw = (id: number) => {
    touched.add(id);
    keeper.changed();
  };
  return { keeper, clock, written, restored, layers, draw };
}

async function texts({ sheets }: KeptDrawing): Promise<[number, string][]> {
  return Promise.all([...sheets].map(async ([id, png]) => [id, await png.text()] as [number, string]));
}

test("a drawing is kept when it rests, not with every stroke", async () => {
  const { keeper, clock, written, draw } = setUp();
  await keeper.restore();
  draw(1);
  clock.pass(500);
  draw(1);
  clock.pass(500);
  expect(written).toHaveLength(0);
  clock.pass(500);
  await settled();
  expect(written).toHaveLength(1);
  expect(await texts(written[0] as KeptDrawing)).toEqual([[1, "1:0"]]);
});

test("only layers that changed are compressed again, and those that are gone are left out", async () => {
  const { keeper, clock, written, layers, draw } = setUp();
  await keeper.restore();
  layers.now = { stack: [...oneLayer(1).stack, ...oneLayer(2).stack], activeId: 2 };
  draw(1);
  draw(2);
  clock.pass(1000);
  await settled();
  draw(2);
  clock.pass(1000);
  await settled();
  expect(await texts(written[1] as KeptDrawing)).toEqual([
    [1, "1:0"],
    [2, "2:2"],
  ]);
  layers.now = oneLayer(2);
  keeper.changed();
  clock.pass(1000);
  await settled();
  expect((await texts(written[2] as KeptDrawing)).map(([id]) => id)).toEqual([2]);
});

test("what was kept comes back once, and nothing takes its place before", async () => {
  const kept = { layers: oneLayer(7), sheets: new Map([[7, new Blob(["seven"])]]) };
  const { keeper, clock, written, restored, draw } = setUp(kept);
  draw(1);
  clock.pass(1000);
  await settled();
  expect(written).toEqual([]);
  await keeper.restore();
  await keeper.restore();
  expect(restored).toEqual([[kept.layers, new Map([[7, "seven"]])]]);
});

test("a page that goes keeps what has not rested yet", async () => {
  const { keeper, written, draw } = setUp();
  await keeper.restore();
  await keeper.save();
  expect(written).toHaveLength(0);
  draw(1);
  await keeper.save();
  expect(written).toHaveLength(1);
});

test("a store that is full is said to the console, and the next rest tries again", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const { keeper, clock, written, draw } = setUp();
  await keeper.restore();
  const push = vi.spyOn(written, "push").mockImplementationOnce(() => {
    throw new Error("full");
  });
  draw(1);
  clock.pass(1000);
  await settled();
  expect(push).toHaveBeenCalledOnce();
  expect(warn).toHaveBeenCalledOnce();
  draw(1);
  clock.pass(1000);
  await settled();
  expect(written).toHaveLength(1);
  warn.mockRestore();
});
