import { beforeEach, expect, test } from "vitest";
import { type StreamEvents, Viewer } from "../../src/overlay/viewer";
import { FakeClock, settled } from "../fakes";

const picture = new Uint8Array([1]);

interface Reading {
  events: StreamEvents;
  end: () => void;
}

let clock: FakeClock;
let readings: Reading[];
let isThere: boolean;
let shown: string;

beforeEach(() => {
  clock = new FakeClock();
  readings = [];
  isThere = true;
  shown = "nothing";
  const viewer = new Viewer({
    clock,
    read: (events, abort) =>
      new Promise((resolve, reject) => {
        readings.push({ events, end: resolve });
        abort.addEventListener("abort", reject);
      }),
    isThere: async () => isThere,
    draw: async () => {
      shown = "a picture";
    },
    clear: () => {
      shown = "nothing";
    },
  });
  void viewer.show();
});

function newest(): Reading {
  const last = readings.at(-1);
  if (!last) throw new Error("nothing was read");
  return last;
}

async function pass(ms: number): Promise<void> {
  for (let rest = ms; rest > 0; rest -= 500) {
    clock.pass(Math.min(500, rest));
    await settled();
  }
}

async function showPicture(): Promise<void> {
  newest().events.open();
  await newest().events.picture(picture);
}

async function end(): Promise<void> {
  newest().end();
  await settled();
}

/** Every try ends at once, as while the server or the session isn't there. */
async function failFor(ms: number): Promise<void> {
  for (let rest = ms; rest > 0; rest -= 1_000) {
    await pass(1_000);
    await end();
  }
}

test("tries once a second, and shows nothing until there is a picture", async () => {
  await end();
  await failFor(20_000);
  expect(readings).toHaveLength(21);
  expect(shown).toBe("nothing");
  await pass(1_000);
  await showPicture();
  expect(shown).toBe("a picture");
});

test("a short cut is bridged by the last picture", async () => {
  await showPicture();
  await end();
  await failFor(3_000);
  await pass(1_000);
  newest().events.open();
  await pass(60_000);
  expect(shown).toBe("a picture");
});

test("the picture of a session that has ended goes", async () => {
  await showPicture();
  await end();
  await failFor(4_000);
  expect(shown).toBe("a picture");
  await failFor(1_000);
  expect(shown).toBe("nothing");
});

test("a session that rests keeps its picture", async () => {
  await showPicture();
  await pass(3_600_000);
  expect(readings).toHaveLength(1);
  expect(shown).toBe("a picture");
});

test("a stream whose server has vanished is given up", async () => {
  await showPicture();
  isThere = false;
  await pass(10_000);
  await pass(1_000);
  expect(readings).toHaveLength(2);
  await end();
  await failFor(4_000);
  expect(shown).toBe("nothing");
});

test("pictures are proof enough that the server is there", async () => {
  newest().events.open();
  isThere = false;
  for (let second = 0; second < 30; second++) {
    await newest().events.picture(picture);
    await pass(1_000);
  }
  expect(readings).toHaveLength(1);
});
