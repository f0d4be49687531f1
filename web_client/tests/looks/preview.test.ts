import { beforeEach, expect, test } from "vitest";
import type { TransportEvents } from "../../src/connection/connection";
import { previewStrengths, STRENGTHS } from "../../src/looks/preview";
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

beforeEach(() => {
  clock = new FakeClock();
  [sent, frames, pictures, over, isClosed, version] = [[], [], [], [], false, 0];
});

function begin(): Promise<void> {
  return previewStrengths({
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
    after: (ms, action) => clock.after(ms, action),
    jpeg: new Uint8Array([1, 2]),
    params: { prompt: "ink", width: 64, height: 64 },
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
    expect(sent.at(-1)).toEqual({ type: "params", params: { prompt: "ink", width: 64, height: 64, strength } });
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
])("%s ends it", async (_, happens, why) => {
  const done = begin();
  happens();
  await expect(done).rejects.toThrow(why);
  await settled();
  expect([isClosed, over]).toEqual([true, []]);
});
