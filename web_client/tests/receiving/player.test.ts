import { beforeEach, expect, test, vi } from "vitest";
import { Keyed } from "../../src/browser/keyed";
import { Flag, Format, type Frame } from "../../src/protocol";
import { Player } from "../../src/receiving/player";

class FakeCanvas {
  width = 300;
  height = 150;
  drawn: unknown[] = [];
  readonly names = new Set<string>();
  readonly classList = { toggle: (name: string, isOn: boolean) => (isOn ? this.names.add(name) : this.names.delete(name)) };

  getContext() {
    return { drawImage: (image: unknown) => this.drawn.push(image), clearRect: () => {} };
  }

  toBlob(give: (blob: Blob) => void): void {
    give(new Blob([`${this.drawn.length}`]));
  }
}

class FakeVideo extends EventTarget {
  srcObject: unknown = null;
  videoWidth = 640;
  videoHeight = 384;
  present: (presentedFrames: number) => void = () => {};

  async play(): Promise<void> {}

  requestVideoFrameCallback(action: (now: number, metadata: { presentedFrames: number }) => void): number {
    this.present = (presentedFrames) => action(0, { presentedFrames });
    return 0;
  }

  cancelVideoFrameCallback(): void {}
}

let canvas: FakeCanvas;
let video: FakeVideo;
let played: number;
let player: Player;

beforeEach(() => {
  vi.stubGlobal("document", Object.assign(new EventTarget(), { hidden: false }));
  canvas = new FakeCanvas();
  video = new FakeVideo();
  played = 0;
  player = new Player(
    (pictures) => {
      played += pictures;
    },
    () => ({ width: 640, height: 384 }),
    canvas as unknown as HTMLCanvasElement,
    video as unknown as HTMLVideoElement,
  );
  vi.stubGlobal("createImageBitmap", async () => ({ width: 512, height: 256, close() {} }));
});

function frame(seq: number): Frame {
  const header = { version: 1, format: Format.jpeg, flags: 0, seq, captured_us: 0n, params_version: 1, engine_us: 0 };
  return { ...header, payload: new Uint8Array(1) };
}

/** What puts stacked pictures together, without WebGL: its answers are these names. */
function keyless(): void {
  vi.spyOn(Keyed.prototype, "draw").mockImplementation(() => "fill and key" as unknown as HTMLCanvasElement);
}

function playFirst(stream = {} as MediaStream): void {
  player.play(stream);
  video.dispatchEvent(new Event("loadeddata"));
}

test("frames are drawn on a canvas of their size, none after a newer one", async () => {
  expect(await player.show(frame(2))).toBe(true);
  expect(await player.show(frame(1))).toBe(false);
  expect(player.view.value).toBe(canvas);
  expect([canvas.width, canvas.height, canvas.drawn.length]).toEqual([512, 256, 1]);
});

test("a video comes into view with its first picture, not before", () => {
  player.play({} as MediaStream);
  expect(player.view.value).toBe(canvas);
  expect(player.hasPicture.value).toBe(false);
  video.dispatchEvent(new Event("loadeddata"));
  expect(player.view.value).toBe(video);
  expect(player.hasPicture.value).toBe(true);
});

test("its last picture stays when it ends", () => {
  playFirst();
  player.hold();
  expect(player.view.value).toBe(canvas);
  expect(canvas.drawn).toEqual([video]);
  expect([canvas.width, canvas.height]).toEqual([640, 384]);
  expect(video.srcObject).toBeNull();
});

test("ending what never had a picture changes nothing", () => {
  player.hold();
  player.play({} as MediaStream);
  player.hold();
  expect(canvas.drawn).toEqual([]);
  expect(player.hasPicture.value).toBe(false);
});

test("frames can follow a video", async () => {
  await player.show(frame(7));
  playFirst();
  player.hold();
  expect(await player.show(frame(8))).toBe(true);
  expect(player.view.value).toBe(canvas);
});

test("counts every picture, also those that a busy page wasn't told of, and none of an older video", () => {
  playFirst();
  video.present(10);
  video.present(11);
  video.present(14);
  expect(played).toBe(5);
  const late = video.present;
  player.hold();
  late(15);
  expect(played).toBe(5);
});

test("a snapshot is of what is in view", async () => {
  expect(await player.snapshot()).toBeNull();
  await player.show(frame(1));
  await player.snapshot();
  expect(canvas.drawn).toHaveLength(1);
  playFirst();
  await player.snapshot();
  expect(canvas.drawn.at(-1)).toBe(video);
});

test("a repeat keeps the picture, counts as shown, and does not hold up one that is still being decoded", async () => {
  const repeat: Frame = { ...frame(3), format: Format.none, flags: Flag.repeat, payload: new Uint8Array() };
  expect(await player.show(repeat)).toBe(false);
  await player.show(frame(1));
  const decoding = player.show(frame(2));
  expect(await player.show(repeat)).toBe(true);
  expect(await decoding).toBe(true);
  expect(canvas.drawn).toHaveLength(2);
});

test("a stacked picture is put together, at half its height", async () => {
  keyless();

  await player.show({ ...frame(1), flags: Flag.stacked });

  expect(canvas.drawn).toEqual(["fill and key"]);
  expect([canvas.width, canvas.height]).toEqual([512, 128]);
  expect(canvas.names).toContain("keyed");
  await player.show(frame(2));
  expect(canvas.height).toBe(256);
  expect(canvas.names).not.toContain("keyed");
});

test("video that is twice as high as the params is put together on the canvas, and is itself again after that", () => {
  keyless();
  video.videoHeight = 768;

  playFirst();

  expect(player.view.value).toBe(canvas);
  expect([canvas.width, canvas.height]).toEqual([640, 384]);
  video.videoHeight = 384;
  video.present(1);
  expect(player.view.value).toBe(video);
});
