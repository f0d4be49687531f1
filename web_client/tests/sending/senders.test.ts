import { beforeEach, expect, test } from "vitest";
import type { TransportKind } from "../../src/connection/transport_choice";
import { Senders } from "../../src/sending/senders";
import type { Source } from "../../src/sources/source";
import { FakeClock, settled } from "../fakes";

const picture = { image: {} as CanvasImageSource, width: 640, height: 480, mirrored: false };
const source: Source = { view: {} as HTMLElement, start: async () => {}, stop() {}, picture: () => picture, isStill: false };

let transport: TransportKind;
let frames: number;
let captures: number;
let senders: Senders;

beforeEach(() => {
  transport = "websocket";
  frames = captures = 0;
  senders = new Senders({
    clock: new FakeClock(),
    transport: () => transport,
    target: () => ({ width: 256, height: 256 }),
    encode: async () => new Uint8Array([1]),
    sendFrame: () => frames++,
    createCanvas: () => ({
      stream: { getVideoTracks: () => [] } as unknown as MediaStream,
      capture: () => captures++,
    }),
    onSent() {},
    onError(error) {
      throw error;
    },
  });
  senders.use(source);
});

test("a picture goes out as a frame or to the track, whichever transport is in use", async () => {
  void senders.stream;
  senders.connected(2);
  await settled();
  expect([frames, captures]).toEqual([1, 0]);
  transport = "webrtc";
  senders.changed();
  await settled();
  expect([frames, captures]).toEqual([1, 1]);
});

test("a frame that waits for a credit stays when the transport changes", async () => {
  senders.connected(1);
  await settled();
  senders.changed();
  transport = "webrtc";
  senders.settleUpTo(1);
  await settled();
  expect(frames).toBe(1);
});

test("the server is at work until its last frame is answered, with a picture or without", async () => {
  senders.connected(2);
  await settled();
  senders.changed();
  await settled();
  expect(senders.isAtWork.value).toBe(true);
  senders.settleUpTo(1);
  expect(senders.isAtWork.value).toBe(true);
  senders.settle([2]);
  expect(senders.isAtWork.value).toBe(false);
});
