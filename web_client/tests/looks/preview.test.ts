import { beforeEach, expect, test } from "vitest";
import type { TransportEvents } from "../../src/connection/connection";
import { preview, STRENGTHS } from "../../src/looks/preview";
import { type ClientMessage, Format, type Frame, type Params, type Ready, unpackFrame } from "../../src/protocol";
import { FakeClock, settled } from "../fakes";

let clock: FakeClock;
let events: TransportEvents;
let sent: ClientMessage[];
let frames: Frame[];
let pictures: [number, number][];
let over: string[];
let isClosed: boolean;
let version: number;
let abort: AbortController;

beforeEach(() => {
  clock = new FakeClock();
  abort = new AbortController();
  [sent, frames, pictures, over, isClosed, version] = [[], [], [], [], false, 0];
});

function begin(rests = 0): Promise<void> {
  return preview({
    dial: (given) => {
      events = given;
      return {
        send: (message) => sent.push(message),
        sendFrame: (bytes) => frames.push(unpackFrame(bytes)),
        close: () => {
          isClosed = true;
        },
      };
    },
    clock,
    jpeg: new Uint8Array([1, 2]),
    looks: STRENGTHS.map((strength) => ({ prompt: "ink", width: 64, height: 64, strength })),
    rests,
    abort: abort.signal,
    onPicture: (index, frame) => pictures.push([index, frame.params_version]),
    onOver: (session) => over.push(session),
  });
}

const ready = { type: "ready", session: "its own" } as Ready;
const answer = () => events.message({ type: "params", params: { version: ++version } as Params });
const result = (params_version: number) =>
  events.frame({
    version: 1,
    format: Format.jpeg,
    flags: 0,
    seq: 1,
    captured_us: 0n,
    params_version,
    engine_us: 0,
    payload: new Uint8Array(1),
  });

test("one picture is asked for at each strength, each after the answer to the last", async () => {
  const done = begin();
  events.message(ready);
  for (const strength of STRENGTHS) {
    const tried = { prompt: "ink", width: 64, height: 64, strength };
    expect(sent.at(-1)).toEqual({ type: "params", params: tried, transition_s: 0 });
    answer();
    result(version);
  }
  await done;
  expect(frames.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  expect(pictures).toEqual([0, 1, 2, 3, 4].map((index) => [index, index + 1]));
  expect([isClosed, over]).toEqual([true, ["its own"]]);
});

test("a picture that other params made is not taken for it", () => {
  void begin();
  events.message(ready);
  answer();
  result(version + 5);
  expect(pictures).toEqual([]);
});

test.each([
  ["a full server", () => events.message({ type: "queued", position: 1, size: 1 }), "queued"],
  ["a refusal", () => events.message({ type: "error", code: "invalid_params", message: "no" }), "error"],
  ["an end", () => events.closed(1013, ""), "closed with 1013"],
  ["silence", () => clock.pass(20_000), "it took too long"],
  ["whoever wants no more of it", () => abort.abort(), "it was called off"],
])("%s ends it", async (_, happens, why) => {
  const done = begin();
  happens();
  await expect(done).rejects.toThrow(why);
  await settled();
  expect([isClosed, over]).toEqual([true, []]);
});

test("what is over is not called off any more, nor its session ended again", async () => {
  const done = begin();
  events.message(ready);
  clock.pass(20_000);
  await expect(done).rejects.toThrow("it took too long");
  abort.abort();
  expect(over).toEqual(["its own"]);
});

test("between pictures it rests for several times what one took, and never for less than a moment", () => {
  void begin(10);
  events.message(ready);
  const asked = () => sent.length;
  answer();
  clock.pass(100);
  result(version);
  expect(asked()).toBe(1);
  clock.pass(999);
  expect(asked()).toBe(1);
  clock.pass(1);
  expect(asked()).toBe(2);
  answer();
  result(version);
  clock.pass(399);
  expect(asked()).toBe(2);
  clock.pass(1);
  expect(asked()).toBe(3);
});

test("how long it rests is what the quickest says, and never more than ten seconds", () => {
  void begin(10);
  events.message(ready);
  const asked = () => sent.length;
  answer();
  clock.pass(15_000); // a server that compiles
  result(version);
  clock.pass(9_999);
  expect(asked()).toBe(1);
  clock.pass(1);
  expect(asked()).toBe(2);
  for (const took of [100, 5000]) {
    answer();
    clock.pass(took);
    result(version);
    clock.pass(1000);
  }
  expect(asked()).toBe(4);
});

test("each picture has its time: many may take longer than one", async () => {
  const done = begin();
  events.message(ready);
  for (const _ of STRENGTHS) {
    clock.pass(15_000);
    answer();
    result(version);
  }
  await done;
  expect(pictures.length).toBe(STRENGTHS.length);
});
