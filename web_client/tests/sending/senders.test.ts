import { beforeEach, expect, test } from "vitest";
import type { TransportKind } from "../../src/connection/transport_choice";
import { Format } from "../../src/protocol";
import { NoEncoder } from "../../src/sending/encoder";
import { Senders } from "../../src/sending/senders";
import type { Source } from "../../src/sources/source";
import { FakeClock, settled } from "../fakes";

const picture = { image: {} as CanvasImageSource, width: 640, height: 480, mirrored: false };
const source: Source = { view: {} as HTMLElement, start: async () => {}, stop() {}, picture: () => picture, isStill: false };

let transport: TransportKind;
let frames: number;
let captures: number;
let senders: Senders;
let clock: FakeClock;
/** What encoding fails with; null where it works. */
let fault: Error | null;
let flows: number;
let errors: unknown[];

beforeEach(() => {
  clock = new FakeClock();
  fault = null;
  flows = 0;
  errors = [];
  transport = "websocket";
  frames = captures = 0;
  senders = new Senders({
    clock,
    transport: () => transport,
    target: () => ({ width: 256, height: 256 }),
    encode: async () => {
      if (fault) throw fault;
      return { bytes: new Uint8Array([1]), format: Format.jpeg };
    },
    sendFrame: () => frames++,
    createCanvas: () => ({
      stream: { getVideoTracks: () => [] } as unknown as MediaStream,
      capture: () => captures++,
    }),
    tellAsIs() {},
    onSent: () => flows++,
    onError: (error) => errors.push(error),
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

/** Lets so many tries of a failing picture go by. */
async function tries(count: number): Promise<void> {
  for (let each = 0; each < count; each++) {
    await settled();
    clock.pass(100);
  }
  await settled();
}

test("one picture that fails is tried again, unsaid", async () => {
  fault = new DOMException("not usable", "InvalidStateError");
  senders.connected(2);
  await settled();
  fault = null;
  await tries(1);
  expect([frames, flows, errors]).toEqual([1, 1, []]);
});

test("pictures that keep failing are spoken of once, and again only after one went through", async () => {
  fault = new DOMException("not usable", "InvalidStateError");
  senders.connected(2);
  await tries(3);
  expect(errors).toEqual([]);
  await tries(20);
  expect(errors).toEqual([fault]);
  fault = null;
  await tries(1);
  expect(flows).toBe(1);
  fault = new Error("worse");
  senders.changed();
  await tries(20);
  expect(errors).toHaveLength(2);
});

test("a browser that can't compress at all is told apart at once", async () => {
  fault = new NoEncoder("OffscreenCanvas is missing");
  senders.connected(2);
  await tries(3);
  expect(errors).toEqual([fault]);
});

test("another input begins with all patience", async () => {
  fault = new Error("no");
  senders.connected(2);
  await tries(3);
  senders.use(source);
  senders.changed();
  await tries(2);
  expect(errors).toEqual([]);
});
