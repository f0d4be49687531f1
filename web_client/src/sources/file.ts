/** A picture or a video of the user's own as a source. Videos and animations play over and over. */

import { computed, signal } from "@preact/signals";
import { browserClock } from "../browser/clock";
import { openAnimation, type PictureAnimation, saysItMoves } from "./animation";
import { CENTRE, PAPER, UPPER } from "./crop";
import { MovingPicture } from "./moving";
import { isTransparent, sample } from "./sample";
import { type CroppedSource, type CropPlace, type Picture, SourceError } from "./source";

/** A video element that can't play a file may also say nothing. */
const LOAD_TIMEOUT_MS = 10_000;
/** More pixels than any model takes. A phone's photograph has ten times as many, each read with every sending. */
const LONGER_SIDE_PX = 2048;

export class FileSource implements CroppedSource {
  readonly shape = signal<{ width: number; height: number } | null>(null);
  readonly crop = signal<CropPlace>(CENTRE);
  /** What is shown, or would be; null before there is anything. */
  readonly file = signal<File | null>(null);
  readonly name = computed(() => this.file.value?.name ?? "");
  readonly hasVideo = signal(false);
  readonly isAnimated = signal(false);
  readonly isPlaying = signal(false);
  /** The video's position and duration, in seconds. */
  readonly position_s = signal(0);
  readonly duration_s = signal(0);
  /** Holds what is in use, a video or a still: they change without a new mount. */
  readonly view = document.createElement("div");

  readonly #moving = new MovingPicture();
  /** A still, or the picture of the animation that is shown. Null until there is one. */
  #still: HTMLCanvasElement | null = null;
  #animation: PictureAnimation | null = null;
  #url = "";
  #changed: (() => void) | null = null;
  /** Of a video whose own element doesn't know it before its end: one that a browser has recorded. */
  #length_s = 0;
  /** Counts openings: of several at once the last one counts, however long the others take. */
  #opening = 0;
  /** Whether the file's shape is not known yet. */
  #isNew = false;

  constructor() {
    this.view.className = "file-view";
    const video = this.#moving.view;
    video.loop = true;
    for (const kind of ["play", "pause"]) video.addEventListener(kind, () => (this.isPlaying.value = !video.paused));
    for (const kind of ["timeupdate", "seeked", "durationchange"]) video.addEventListener(kind, this.#readPosition);
    video.addEventListener("resize", () => {
      if (this.hasVideo.peek()) this.#measured(video.videoWidth, video.videoHeight);
    });
  }

  get isStill(): boolean {
    return !this.hasVideo.peek() && !this.isAnimated.peek();
  }

  get video(): HTMLVideoElement {
    return this.#moving.view;
  }

  get isEmpty(): boolean {
    return this.#url === "";
  }

  /** Shows what was opened before, if anything. */
  async start(changed: () => void): Promise<void> {
    this.#changed = changed;
    if (this.hasVideo.peek()) this.#moving.showFile(this.#url, changed);
    else if (this.#animation) this.#playAnimation();
    else if (this.#url) changed();
  }

  stop(): void {
    this.#changed = null;
    this.#pauseAnimation();
    this.#moving.clear();
  }

  /**
   * Takes another file. Rejects with a SourceError where this browser can't show it; the one before then stays.
   * @returns whether all of it is shown: false for an animation that stands still.
   */
  async open(file: File): Promise<boolean> {
    const opening = ++this.#opening;
    const url = URL.createObjectURL(file);
    let still: HTMLCanvasElement | null = null;
    let probed: Probed = { isOnPaper: false, length_s: 0 };
    let animation: PictureAnimation | null = null;
    try {
      // What it is shows when it is read: many systems have no type for .mkv and .mov.
      if (!file.type.startsWith("video/"))
        still = await readPicture(url).catch((error: unknown) => {
          if (file.type.startsWith("image/")) throw error;
          return null;
        });
      if (still) animation = await openAnimation(file, browserClock).catch(() => null);
      else {
        probed = known.get(file) ?? (await probeVideo(url));
        known.set(file, probed);
      }
    } catch (error) {
      URL.revokeObjectURL(url);
      throw new SourceError("fileUnreadable", error);
    }
    if (opening !== this.#opening) {
      URL.revokeObjectURL(url);
      animation?.close();
      return true;
    }
    URL.revokeObjectURL(this.#url);
    this.#url = url;
    this.#still = still;
    this.#animation?.close();
    this.#animation = animation;
    this.isAnimated.value = animation !== null;
    this.#length_s = probed.length_s;
    this.hasVideo.value = !still;
    this.#moving.clear();
    this.#moving.view.classList.toggle("on-paper", probed.isOnPaper);
    this.file.value = file;
    this.#isNew = true;
    if (still) this.#measured(still.width, still.height);
    this.view.replaceChildren(still ?? this.#moving.view);
    if (this.#changed) await this.start(this.#changed);
    return !still || animation !== null || !(await saysItMoves(file));
  }

  /** Lets go of what was opened. */
  close(): void {
    this.stop();
    this.#animation?.close();
    URL.revokeObjectURL(this.#url);
  }

  picture(): Picture | null {
    if (this.hasVideo.peek()) return this.#moving.picture(false, this.crop.peek());
    const still = this.#still;
    return still && { image: still, width: still.width, height: still.height, mirrored: false, crop: this.crop.peek() };
  }

  togglePlay(): void {
    if (this.#animation) {
      if (this.isPlaying.peek()) this.#pauseAnimation();
      else this.#playAnimation();
      return;
    }
    const video = this.#moving.view;
    // Rejects when it is paused again before it begins; that is no failure.
    if (video.paused) void video.play().catch(() => {});
    else video.pause();
  }

  seek(to_s: number): void {
    this.#moving.view.currentTime = to_s;
  }

  #measured(width: number, height: number): void {
    if (this.#isNew) this.crop.value = height > width ? UPPER : CENTRE;
    this.#isNew = false;
    this.shape.value = { width, height };
  }

  #playAnimation(): void {
    const [canvas, context] = [this.#still, this.#still?.getContext("2d")];
    if (!canvas || !context) return;
    this.isPlaying.value = true;
    const draw = (picture: VideoFrame) => {
      context.fillStyle = PAPER;
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(picture, 0, 0, canvas.width, canvas.height);
      this.#changed?.();
    };
    void this.#animation?.play(draw).then((hasBroken) => hasBroken && (this.isPlaying.value = false));
  }

  #pauseAnimation(): void {
    if (!this.#animation) return;
    this.#animation.pause();
    this.isPlaying.value = false;
  }

  readonly #readPosition = (): void => {
    const { currentTime, duration } = this.#moving.view;
    this.position_s.value = currentTime;
    this.duration_s.value = Number.isFinite(duration) ? duration : this.#length_s;
  };
}

/** On white, as on paper: what is transparent would be drawn over whatever was sent before. */
async function readPicture(url: string): Promise<HTMLCanvasElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  const { naturalWidth: width, naturalHeight: height } = image;
  const scale = Math.min(1, LONGER_SIDE_PX / Math.max(width, height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  const context = canvas.getContext("2d", { alpha: false });
  if (!context || canvas.width === 0 || canvas.height === 0) throw new Error("no picture in it");
  context.fillStyle = PAPER;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Whether a video is transparent anywhere, and how long it is; 0 where that takes too long to find. */
interface Probed {
  isOnPaper: boolean;
  length_s: number;
}

/** A clip that is played again is played at once. */
const known = new WeakMap<File, Probed>();
/** Later than any video ends: wound there, it knows how long it is. */
const BEYOND_S = 1e8;
/** A long one without an index is read whole for that. */
const LENGTH_TIMEOUT_MS = 2000;

/** Rejects where it can't be played. */
async function probeVideo(url: string): Promise<Probed> {
  const video = document.createElement("video");
  video.muted = true;
  video.src = url;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no picture in time")), LOAD_TIMEOUT_MS);
    video.onloadeddata = () => {
      clearTimeout(timer);
      if (video.videoWidth > 0) resolve();
      else reject(new Error("no picture in it"));
    };
    video.onerror = () => {
      clearTimeout(timer);
      reject(new Error(video.error?.message ?? "unreadable"));
    };
  });
  const points = sample(video);
  if (video.duration === Infinity) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LENGTH_TIMEOUT_MS);
      video.onseeked = () => {
        clearTimeout(timer);
        resolve();
      };
      video.currentTime = BEYOND_S;
    });
  }
  const { duration, currentTime } = video;
  video.removeAttribute("src");
  return {
    isOnPaper: points !== null && isTransparent(points),
    length_s: Number.isFinite(duration) ? duration : currentTime < BEYOND_S ? currentTime : 0,
  };
}
