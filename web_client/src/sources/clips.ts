/** The clips that this browser keeps: pictures and videos, how each plays, and what it looks like. Plays none. */

import { signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import type { ProblemKind } from "../languages/strings";
import { type Trim, WHOLE } from "./trim";

export interface Clip {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** When it came, which is its place. */
  readonly addedAt_ms: number;
  /** A small JPEG in base64. */
  readonly picture?: string | undefined;
  readonly trim: Trim;
}

/** Records of one kind, as `browser/database.ts` has them. */
interface Store<T> {
  read(key: string): Promise<T | null>;
  all(): Promise<T[]>;
  write(key: string, record: T): Promise<void>;
  remove(key: string): Promise<void>;
}

export interface ClipBinOptions {
  clock: Clock;
  /** Small records and large ones apart: a point that is moved writes no video again. */
  clips: Store<Clip>;
  files: Store<Blob>;
  /** What a file looks like. Rejects where this browser can't show it. */
  look: (file: File) => Promise<string | undefined>;
  newId: () => string;
  /** Milliseconds since 1970. */
  now_ms: () => number;
  mention: (problem: ProblemKind, detail: string) => void;
}

/** Points are moved in many small steps. */
const REST_MS = 400;

export class ClipBin {
  readonly clips = signal<readonly Clip[]>([]);
  readonly #options: ClipBinOptions;
  /** Those that came to this page: of one that the browser has no room for there is nothing else. */
  readonly #files = new Map<string, File>();
  #adding = Promise.resolve();
  readonly #waiting = new Map<string, () => void>();

  constructor(options: ClipBinOptions) {
    this.#options = options;
  }

  /** Brings back what was kept. */
  async restore(): Promise<void> {
    const kept = await this.#options.clips.all().catch(() => []);
    const known = new Set(this.clips.peek().map(({ id }) => id));
    const all = [...kept.filter(({ id }) => !known.has(id)), ...this.clips.peek()];
    this.clips.value = all.sort((one, other) => one.addedAt_ms - other.addedAt_ms);
  }

  /** Takes files, one after the other; one that can't be shown keeps none of the others out. */
  add(files: Iterable<File>): Promise<void> {
    this.#adding = this.#adding.then(() => this.#add(files));
    return this.#adding;
  }

  async #add(files: Iterable<File>): Promise<void> {
    const { look, newId, now_ms, mention } = this.#options;
    for (const file of files) {
      try {
        const { name, type } = file;
        const clip = { id: newId(), name, type, addedAt_ms: now_ms(), picture: await look(file), trim: WHOLE };
        await this.#put(clip, file);
      } catch {
        mention("fileUnreadable", file.name);
      }
    }
  }

  /** The file of a clip; null where it is gone. */
  async file({ id, name, type }: Clip): Promise<File | null> {
    const own = this.#files.get(id);
    if (own) return own;
    const blob = await this.#options.files.read(id).catch(() => null);
    if (!blob) return null;
    const file = new File([blob], name, { type });
    this.#files.set(id, file);
    return file;
  }

  /** Another part of it plays from now on, or otherwise. */
  trim(id: string, trim: Trim): void {
    this.clips.value = this.clips.peek().map((clip) => (clip.id === id ? { ...clip, trim } : clip));
    this.#waiting.get(id)?.();
    const write = () => {
      this.#waiting.delete(id);
      const clip = this.clips.peek().find((each) => each.id === id);
      // What can't be kept was said when it came.
      if (clip) void this.#options.clips.write(id, clip).catch(() => {});
    };
    this.#waiting.set(id, this.#options.clock.after(REST_MS, write));
  }

  /** Removes a clip; the returned function brings it back. */
  async remove(clip: Clip): Promise<() => void> {
    this.clips.value = this.clips.peek().filter(({ id }) => id !== clip.id);
    const file = await this.file(clip);
    this.#files.delete(clip.id);
    const { clips, files } = this.#options;
    await Promise.all([clips.remove(clip.id), files.remove(clip.id)]).catch(() => {});
    return () => void (file && this.#put(clip, file));
  }

  async #put(clip: Clip, file: File): Promise<void> {
    const { clips, files, mention } = this.#options;
    this.#files.set(clip.id, file);
    this.clips.value = [...this.clips.peek(), clip].sort((one, other) => one.addedAt_ms - other.addedAt_ms);
    try {
      // The file first: a clip without one would be nothing.
      await files.write(clip.id, file);
      await clips.write(clip.id, clip);
    } catch {
      await files.remove(clip.id).catch(() => {});
      mention("clipNotKept", clip.name);
    }
  }
}
