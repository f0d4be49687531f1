import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TrackSender } from "../../src/sending/track_sender";
import type { Picture, Source } from "../../src/sources/source";
import { FakeClock } from "../fakes";

const picture: Picture = { image: {} as CanvasImageSource, width: 640, height: 480, mirrored: true };

let clock: FakeClock;
let track: { contentHint: string };
let captured: { at_ms: number; width: number; height: number }[];
let target: { width: number; height: number } | null;
let told: boolean[];
let sender: TrackSender;

beforeEach(() => {
  clock = new FakeClock();
  track = { contentHint: "" };
  captured = [];
  told = [];
  target = { width: 512, height: 256 };
  sender = new TrackSender({
    clock,
    createCanvas: () => ({
      stream: { getVideoTracks: () => [track] } as unknown as MediaStream,
      capture(shown, width, height) {
        expect(shown).toBe(picture);
        captured.push({ at_ms: clock.now(), width, height });
      },
    }),
    target: () => target,
    tellAsIs: (isAsIs) => told.push(isAsIs),
    onSent() {},
    onError(error) {
      throw error;
    },
  });
  void sender.stream;
});

afterEach(() => {
  delete picture.isBlank;
});

function use(isStill: boolean): void {
  const source: Source = { view: {} as HTMLElement, start: async () => {}, stop() {}, picture: () => picture, isStill };
  sender.use(source);
}

const times = () => captured.map(({ at_ms }) => at_ms);

describe("live video", () => {
  test("is sent as it comes, in the size of the params", () => {
    use(false);
    for (let time = 0; time < 3; time++) {
      sender.changed();
      clock.pass(33);
    }
    expect(times()).toEqual([0, 33, 66]);
    expect(captured[0]).toMatchObject({ width: 512, height: 256 });
    expect(track.contentHint).toBe("motion");
  });

  test("is not repeated when it stops, as that of a hidden page does", () => {
    use(false);
    sender.changed();
    clock.pass(60_000);
    expect(times()).toEqual([0]);
  });

  test("goes on in the new size in mid-stream", () => {
    use(false);
    sender.changed();
    clock.pass(33);
    target = { width: 256, height: 256 };
    sender.changed();
    expect(captured.map(({ width }) => width)).toEqual([512, 256]);
  });
});

describe("a drawing", () => {
  test("is sent no oftener than video needs, and never late", () => {
    use(true);
    for (let time = 0; time <= 100; time += 5) {
      sender.changed();
      clock.pass(5);
    }
    expect(times()).toEqual([0, 25, 50, 75, 100]);
  });

  test("is sent again when it rests, and then once a second", () => {
    use(true);
    sender.changed();
    clock.pass(3_500);
    expect(times()).toEqual([0, 200, 1_200, 2_200, 3_200]);
    expect(track.contentHint).toBe("detail");
  });

  test("rests for good where nothing may be sent, until there is a connection", () => {
    use(true);
    sender.changed();
    target = null;
    clock.pass(10_000);
    expect(times()).toEqual([0]);
    target = { width: 512, height: 256 };
    sender.connected();
    expect(times()).toEqual([0, 10_000]);
  });

  test("is forgotten when another source is used", () => {
    use(true);
    sender.changed();
    use(false);
    clock.pass(10_000);
    expect(times()).toEqual([0]);
  });
});

describe("blank paper", () => {
  test("is said to be shown as it is, once, and no more once there is a stroke", () => {
    picture.isBlank = true;
    use(true);
    sender.changed();
    clock.pass(5000);
    expect(told).toEqual([true]);
    picture.isBlank = false;
    sender.changed();
    clock.pass(5000);
    expect(told).toEqual([true, false]);
  });

  test("is said again to a new connection, which knows nothing of it", () => {
    picture.isBlank = true;
    use(true);
    sender.changed();
    sender.connected();
    clock.pass(5000);
    expect(told).toEqual([true, true]);
  });
});
