import { beforeEach, describe, expect, test } from "vitest";
import { PictureAnimation, saysItMoves } from "../../src/sources/animation";
import { FakeClock, settled } from "../fakes";

let clock: FakeClock;
/** The numbers of the pictures that were drawn, and when. */
let drawn: [number, number][];
let open: number;
let broken: Set<number>;

beforeEach(() => {
  clock = new FakeClock();
  drawn = [];
  open = 0;
  broken = new Set();
});

/** An animation whose pictures last `durations_ms`. */
function animation(...durations_ms: number[]): PictureAnimation {
  const decode = async ({ frameIndex = 0 } = {}) => {
    if (broken.has(frameIndex)) throw new DOMException("bad", "EncodingError");
    open++;
    const image = { frameIndex, duration: (durations_ms[frameIndex] ?? 0) * 1000, close: () => open-- };
    return { image: image as unknown as VideoFrame, complete: true };
  };
  return new PictureAnimation({ decode, close() {} }, durations_ms.length, clock);
}

const draw = (picture: VideoFrame) => {
  drawn.push([(picture as unknown as { frameIndex: number }).frameIndex, clock.now()]);
};

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    clock.pass(10);
    await settled();
  }
}

test("each picture has its time, over and over, and none is left open", async () => {
  void animation(50, 100).play(draw);
  await settled();
  await pass(300);
  expect(drawn).toEqual([
    [0, 0],
    [1, 50],
    [0, 150],
    [1, 200],
    [0, 300],
  ]);
  expect(open).toBe(0);
});

test("pictures that name no time have the usual tenth of a second", async () => {
  void animation(0, 10).play(draw);
  await settled();
  await pass(200);
  expect(drawn.map(([, at_ms]) => at_ms)).toEqual([0, 100, 200]);
});

test("it goes on where it paused, in one rhythm however often it is paused", async () => {
  const pictures = animation(100, 100, 100);
  void pictures.play(draw);
  await settled();
  pictures.pause();
  void pictures.play(draw);
  pictures.pause();
  await pass(500);
  expect(drawn).toEqual([[0, 0]]);
  void pictures.play(draw);
  await settled();
  await pass(200);
  expect(drawn.slice(1).map(([, at_ms]) => at_ms)).toEqual([500, 600, 700]);
});

test("a file that breaks off begins again, and one without a picture ends", async () => {
  broken.add(2);
  const pictures = animation(50, 50, 50);
  const end = pictures.play(draw);
  await settled();
  await pass(100);
  expect(drawn.map(([index]) => index)).toEqual([0, 1, 0]);
  broken.add(0).add(1);
  await pass(50);
  expect(await end).toBe(true);
});

describe("a file says that it moves", () => {
  const file = (...parts: (string | number[])[]) =>
    new Blob(parts.map((part) => (typeof part === "string" ? part : new Uint8Array(part))));

  test.each([
    ["a GIF with its loop", file("GIF89a", [1, 0, 1, 0, 0x80, 0, 0], "\x21", [0xff, 11], "NETSCAPE2.0"), true],
    ["a GIF without", file("GIF89a", [1, 0, 1, 0, 0, 0, 0]), false],
    ["a WebP with ANIM", file("RIFF", [1, 0, 0, 0], "WEBPVP8X", new Array<number>(14).fill(0), "ANIM"), true],
    ["a WebP without", file("RIFF", [1, 0, 0, 0], "WEBPVP8 "), false],
    ["a PNG with acTL", file([0x89], "PNG\r\n\x1a\n", [0, 0, 0, 13], "IHDR", [10, 13, 0, 0], "acTL"), true],
    ["an AVIF sequence", file([0, 0, 0, 32], "ftypavis"), true],
    ["an AVIF picture", file([0, 0, 0, 32], "ftypavif"), false],
    ["a text about ANIM", file("ANIM NETSCAPE2.0 acTL"), false],
  ])("%s", async (_name, blob, moves) => {
    expect(await saysItMoves(blob)).toBe(moves);
  });
});
