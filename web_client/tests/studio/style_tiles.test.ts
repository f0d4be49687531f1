import { expect, test, vi } from "vitest";
import type { Params } from "../../src/protocol";
import { type MakeTiles, StyleTiles, tileLook } from "../../src/studio/style_tiles";
import { settled } from "../fakes";

const params = { version: 3, width: 512, height: 288, prompt: "x", strength: 0.6, seed: 4, calm: 0.9, num_inference_steps: 2 } as Params;
const styles = [
  { name: "comic", prompt: "comic" },
  { name: "photo", prompt: "" },
];
const picture = new Uint8Array([1]);

/** Tiles whose making is under the test's hands. */
function tiles() {
  const made: { looks: Parameters<MakeTiles>[1]; abort: AbortSignal; finish: () => void; fail: (why: Error) => void }[] = [];
  const make: MakeTiles = (_jpeg, looks, _onPicture, abort) =>
    new Promise((finish, fail) => made.push({ looks, abort, finish, fail }));
  return { made, tiles: new StyleTiles(make) };
}

const from = (name: string, jpeg: Uint8Array | null = picture) => ({ name, jpeg: async () => jpeg });

test("a tile is the look in force in another style, plain, of the live size, with the fields that this server has", () => {
  expect(tileLook("comic", params)).toEqual({
    strength: 0.6,
    seed: 4,
    num_inference_steps: 2,
    calm: 0,
    prompt: "comic",
    width: 512,
    height: 288,
  });
});

test("they are made once of each input, in each style", async () => {
  const { made, tiles: made_of } = tiles();
  void made_of.follow(from("camera"), styles, params);
  await settled();
  expect(made_of.isBusy.value).toBe(true);
  expect(made.map(({ looks }) => looks.map(({ prompt }) => prompt))).toEqual([["comic", ""]]);
  expect(await made_of.follow(from("camera"), styles, params)).toBe(null);
  made[0]?.finish();
  await settled();
  expect([made.length, made_of.isBusy.value]).toEqual([1, false]);
});

test("an input without a picture is asked again, and nothing is made meanwhile", async () => {
  const { made, tiles: made_of } = tiles();
  for (const _ of [1, 2, 3]) expect(await made_of.follow(from("camera", null), styles, params)).toBe(1500);
  expect(made).toEqual([]);
});

test("another input ends what is made of the one before", async () => {
  const { made, tiles: made_of } = tiles();
  void made_of.follow(from("stock"), styles, params);
  await settled();
  void made_of.follow(from("camera"), styles, params);
  await settled();
  expect(made.map(({ abort }) => abort.aborted)).toEqual([true, false]);
  made[0]?.fail(new Error("it was called off"));
  await settled();
  expect(made_of.isBusy.value).toBe(true);
});

test("what breaks off is tried again, each time later: a server that has no place for them now may have one then", async () => {
  const { made, tiles: made_of } = tiles();
  const follow = async () => {
    const again = made_of.follow(from("camera"), styles, params);
    await settled();
    made.at(-1)?.fail(new Error("queued"));
    return again;
  };
  const again_ms = [];
  for (const _ of Array(8)) again_ms.push(await follow());
  expect(again_ms).toEqual([1500, 3000, 6000, 12_000, 24_000, 48_000, 60_000, 60_000]);
  expect([made.length, made_of.isBusy.value]).toEqual([8, false]);
  made_of.forget();
  expect(await follow()).toBe(1500);
});

test("a picture that can't be decoded leaves the tile as it was", async () => {
  vi.stubGlobal("createImageBitmap", () => Promise.reject(new Error("no picture")));
  const broken = new StyleTiles(async (_jpeg, _looks, onPicture) => {
    onPicture(0, { format: 1, payload: new Uint8Array(1) } as Parameters<typeof onPicture>[1]);
  });
  await broken.follow(from("camera"), styles, params);
  await settled();
  expect(broken.pictures.value.size).toBe(0);
});
