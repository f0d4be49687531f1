import { beforeEach, expect, test } from "vitest";
import { Flag, Format, unpackFrame } from "../../src/protocol";
import type { Encoded } from "../../src/sending/encoder";
import { FrameSender } from "../../src/sending/frame_sender";
import type { Source } from "../../src/sources/source";
import { FakeClock, settled } from "../fakes";

const picture = { image: {} as CanvasImageSource, width: 640, height: 480, mirrored: false };
const source: Source = { view: {} as HTMLElement, start: async () => {}, stop() {}, picture: () => picture, isStill: false };

let clock: FakeClock;
let sent: ArrayBuffer[];
let encodings: ((encoded: Encoded) => void)[];
let target: { width: number; height: number } | null;
let sender: FrameSender;

beforeEach(() => {
  clock = new FakeClock();
  sent = [];
  encodings = [];
  target = { width: 256, height: 256 };
  sender = new FrameSender({
    clock,
    encode: () => new Promise((resolve) => encodings.push(resolve)),
    target: () => target,
    send: (bytes) => sent.push(bytes),
    onSent() {},
    onError(error) {
      throw error;
    },
  });
  sender.use(source);
});

async function encodeNext(): Promise<void> {
  encodings.shift()?.({ bytes: new Uint8Array([1]), format: Format.webp });
  await settled();
}

test("while both credits are out, new pictures are not even encoded", async () => {
  sender.connected(2);
  await encodeNext();
  sender.changed();
  await encodeNext();
  for (let count = 0; count < 5; count++) sender.changed();
  expect(sent).toHaveLength(2);
  expect(encodings).toHaveLength(0);
});

test("a free credit takes the newest picture, with the time it was taken", async () => {
  sender.connected(1);
  await encodeNext();
  clock.pass(10);
  sender.changed();
  clock.pass(10);
  sender.changed();
  sender.credit.settleUpTo(1);
  void sender.pump();
  await encodeNext();
  expect(sent.map((bytes) => unpackFrame(bytes)).map(({ seq, captured_us }) => [seq, captured_us])).toEqual([
    [1, 0n],
    [2, 20_000n],
  ]);
});

test("nothing new, nothing sent", async () => {
  sender.connected(2);
  await encodeNext();
  sender.credit.settleUpTo(1);
  await sender.pump();
  expect(encodings).toHaveLength(0);
});

test("a picture that was encoded for an older connection isn't sent on the next, and seq goes on rising", async () => {
  sender.connected(2);
  await encodeNext();
  sender.changed();
  sender.connected(2);
  await encodeNext();
  expect(sent).toHaveLength(1);
  await encodeNext();
  expect(sent.map((bytes) => unpackFrame(bytes).seq)).toEqual([1, 2]);
});

test("nothing is sent while there is no connection or the picture is frozen", async () => {
  target = null;
  sender.changed();
  await settled();
  expect(encodings).toHaveLength(0);
});

test("a frame says in which format it is", async () => {
  sender.connected(2);
  await encodeNext();
  expect(sent.map((bytes) => unpackFrame(bytes).format)).toEqual([Format.webp]);
});

test("a picture with nothing in it to restyle is sent to be shown as it is", async () => {
  let isBlank = true;
  sender.use({ ...source, picture: () => ({ ...picture, isBlank }) });
  sender.connected(4);
  await encodeNext();
  isBlank = false;
  sender.changed();
  await encodeNext();
  expect(sent.map((bytes) => unpackFrame(bytes).flags)).toEqual([Flag.asIs, 0]);
});
