/** Which part of a video plays, how fast, and whether again and again. Knows neither who chose it nor where it is kept. */

import { signal } from "@preact/signals";
import { onNextPicture } from "../browser/video_frames";
import type { FileSource } from "./file";

export interface Trim {
  readonly in_s: number;
  /** null: the end. */
  readonly out_s: number | null;
  /** In times of its own speed. */
  readonly speed: number;
  readonly loops: boolean;
}

export const WHOLE: Trim = { in_s: 0, out_s: null, speed: 1, loops: true };
/** Backwards browsers play nothing. */
export const speeds = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4] as const;
/** The shortest part that plays: a few pictures. */
export const SHORTEST_S = 0.1;

/** Both points within the video, and in their order: the one that was moved gives way. */
export function trimmed(trim: Trim, change: Partial<Trim>, length_s: number): Trim {
  const next = { ...trim, ...change };
  const end_s = next.out_s === null ? length_s : Math.min(next.out_s, length_s);
  if (change.out_s !== undefined) {
    const out_s = Math.max(end_s, next.in_s + SHORTEST_S);
    return { ...next, out_s: out_s >= length_s ? null : out_s };
  }
  return { ...next, in_s: Math.max(0, Math.min(next.in_s, end_s - SHORTEST_S)) };
}

/** What a video does at a moment of its own: it plays on, begins again, or stands. */
export function nextMove({ in_s, out_s, loops }: Trim, at_s: number, hasEnded: boolean): "on" | "again" | "stand" {
  if (!hasEnded && (out_s === null || at_s < out_s)) return at_s < in_s - SHORTEST_S ? "again" : "on";
  return loops ? "again" : "stand";
}

/** Plays the videos of a file source as they are trimmed. */
export class Trimmer {
  readonly trim = signal(WHOLE);
  readonly #video: HTMLVideoElement;
  #next: { file: File; trim: Trim } | null = null;

  constructor(file: FileSource) {
    const { video } = file;
    this.#video = video;
    file.file.subscribe((opened) => {
      this.trim.value = this.#next?.file === opened ? this.#next.trim : WHOLE;
    });
    // Before it has anything to show: no picture of what is left out is seen.
    video.addEventListener("loadstart", () => {
      this.#apply();
      video.currentTime = this.trim.peek().in_s;
    });
    video.addEventListener("play", () => {
      const { in_s, out_s } = this.trim.peek();
      if (video.currentTime < in_s || (out_s !== null && video.currentTime >= out_s)) video.currentTime = in_s;
    });
    video.addEventListener("ended", this.#check);
    this.trim.subscribe(() => this.#apply());
    this.#watch();
  }

  /** How a file plays that is about to be opened. */
  prepare(file: File, trim: Trim): void {
    this.#next = { file, trim };
  }

  #apply(): void {
    const video = this.#video;
    const { in_s, out_s, speed, loops } = this.trim.peek();
    // By itself it loops without a gap.
    video.loop = loops && in_s === 0 && out_s === null;
    video.defaultPlaybackRate = video.playbackRate = speed;
  }

  #watch(): void {
    onNextPicture(this.#video, () => {
      this.#check();
      this.#watch();
    });
  }

  readonly #check = (): void => {
    const video = this.#video;
    if (video.seeking || (video.paused && !video.ended)) return;
    const move = nextMove(this.trim.peek(), video.currentTime, video.ended);
    if (move === "stand") video.pause();
    if (move !== "again") return;
    video.currentTime = this.trim.peek().in_s;
    // Rejects where another file takes its place; that is no failure.
    if (video.paused || video.ended) void video.play().catch(() => {});
  };
}
