import { beforeEach, expect, test } from "vitest";
import { type StreamEvents, Viewer } from "../../src/overlay/viewer";
import { FakeClock, settled } from "../fakes";

interface Reading {
  events: StreamEvents;
  end: () => void;
}

let clock: FakeClock;
let readings: Reading[];
let shown: string;

beforeEach(() => {
  clock = new FakeClock();
  readings = [];
  shown = "nothing";
  const viewer = new Viewer({
    clock,
    read: (events, abort) =>
      new Promise((resolve, reject) => {
        readings.push({ events, end: resolve });
        abort.addEventListener("abort", reject);
      }),
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
  shown = "a picture";
}

/** The server tells of a session once a second, also of one that rests. */
async function rest(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    newest().events.heard();
    await pass(1_000);
  }
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
  await rest(60);
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
  await rest(3_600);
  expect(readings).toHaveLength(1);
  expect(shown).toBe("a picture");
});

test("a stream whose server has vanished is given up", async () => {
  await showPicture();
  await pass(10_000);
  await pass(1_000);
  expect(readings).toHaveLength(2);
  await end();
  await failFor(4_000);
  expect(shown).toBe("nothing");
});

test("a server that never answers is given up too", async () => {
  await pass(10_000);
  await pass(1_000);
  expect(readings).toHaveLength(2);
});
