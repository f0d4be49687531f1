import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** A video whose pictures come when the test says so. */
class FakeVideo {
  paused = false;
  asked = new Map<number, (now_ms: number) => void>();
  #number = 0;

  requestVideoFrameCallback(action: (now_ms: number) => void): number {
    this.asked.set(++this.#number, action);
    return this.#number;
  }

  cancelVideoFrameCallback(number: number): void {
    this.asked.delete(number);
  }

  present(): void {
    const asked = [...this.asked.values()];
    this.asked.clear();
    for (const action of asked) action(1);
  }
}

class FakeWorker {
  static running: FakeWorker[] = [];
  onmessage: () => void = () => {};
  every_ms: number | null = null;

  constructor() {
    FakeWorker.running.push(this);
  }

  postMessage(every_ms: number): void {
    this.every_ms = every_ms;
  }

  terminate(): void {
    FakeWorker.running = FakeWorker.running.filter((one) => one !== this);
  }
}

class FakeDocument extends EventTarget {
  hidden = false;

  hide(hidden: boolean): void {
    this.hidden = hidden;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

const page = new FakeDocument();
let video: FakeVideo;
let called: number;
let onNextPicture: typeof import("../../src/browser/video_frames").onNextPicture;

const watch = () => onNextPicture(video as unknown as HTMLVideoElement, () => called++);
const tick = () => FakeWorker.running[0]?.onmessage();

beforeEach(async () => {
  vi.stubGlobal("document", page);
  vi.stubGlobal("Worker", FakeWorker);
  vi.resetModules();
  ({ onNextPicture } = await import("../../src/browser/video_frames"));
  page.hidden = false;
  FakeWorker.running = [];
  video = new FakeVideo();
  called = 0;
});

afterEach(() => vi.unstubAllGlobals());

test("the next picture is told of once, and nothing ticks in sight", () => {
  watch();
  video.present();
  video.present();
  expect(called).toBe(1);
  expect(FakeWorker.running).toHaveLength(0);
});

test("a page that goes out of sight while it waits is told at the next tick, once", () => {
  watch();
  page.hide(true);
  expect(FakeWorker.running).toHaveLength(1);
  expect(FakeWorker.running[0]?.every_ms).toBeLessThanOrEqual(50);
  tick();
  tick();
  expect(called).toBe(1);
  expect(video.asked.size).toBe(0);
});

test("a video that rests has no new picture", () => {
  video.paused = true;
  page.hide(true);
  watch();
  tick();
  expect(called).toBe(0);
});

test("ticks end when the page is back, and begin again", () => {
  watch();
  page.hide(true);
  page.hide(false);
  tick();
  expect(FakeWorker.running).toHaveLength(0);
  expect(called).toBe(0);
  page.hide(true);
  tick();
  expect(called).toBe(1);
});

test("ticks end when nobody waits any more", () => {
  const callOff = watch();
  page.hide(true);
  callOff();
  tick();
  expect(called).toBe(0);
  expect(FakeWorker.running).toHaveLength(0);
  expect(video.asked.size).toBe(0);
});
