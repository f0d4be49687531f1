/** Records the program, alone or with the input beside it, as a file. Doesn't know where the file goes. */

import { signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import { createDrawnStream, type DrawnStream } from "../program/drawn_stream";
import type { Program } from "../program/program";
import { type RecordingType, recordingTypes } from "./recording_types";
import { withDuration } from "./webm_duration";

const PIECE_MS = 1000;
const TELL_MS = 500;
const BITS_PER_SECOND = 8_000_000;

export interface RecorderOptions {
  program: Program;
  clock: Clock;
  save: (video: Blob, extension: string) => void;
  /** The browser's recorder gave up; what it had is saved. */
  onError: (error: string) => void;
}

export class Recorder {
  readonly types: RecordingType[] = recordingTypes(
    (type) => "MediaRecorder" in window && MediaRecorder.isTypeSupported(type),
  );
  /** The recording's length and size; null without one. */
  readonly progress = signal<{ ms: number; bytes: number } | null>(null);

  readonly #options: RecorderOptions;
  #recorder: MediaRecorder | null = null;
  #drawn: DrawnStream | null = null;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  start({ mimeType, extension }: RecordingType, isBeside: boolean): void {
    if (this.#recorder) return;
    const { program, clock, save, onError } = this.#options;
    const drawn = createDrawnStream(program, { isBeside });
    const recorder = new MediaRecorder(drawn.stream, { mimeType, videoBitsPerSecond: BITS_PER_SECOND });
    // Blobs of a second each: a browser may keep them on the disk.
    const pieces: Blob[] = [];
    const startedAt_ms = clock.now();
    let bytes = 0;
    recorder.addEventListener("dataavailable", ({ data }) => {
      pieces.push(data);
      bytes += data.size;
    });
    recorder.addEventListener("error", (event) => onError(String((event as ErrorEvent).error ?? event.type)));
    recorder.addEventListener("stop", async () => {
      const duration_ms = clock.now() - startedAt_ms;
      this.#end(recorder);
      if (bytes === 0) return;
      const video = new Blob(pieces, { type: mimeType });
      save(extension === "webm" ? await withDuration(video, duration_ms) : video, extension);
    });
    this.#recorder = recorder;
    this.#drawn = drawn;
    recorder.start(PIECE_MS);
    // By the clock: some browsers hand over their pieces late.
    const tell = () => {
      if (this.#recorder !== recorder) return;
      this.progress.value = { ms: clock.now() - startedAt_ms, bytes };
      clock.after(TELL_MS, tell);
    };
    tell();
  }

  /** Ends the recording; the file comes when the browser has written the last piece. */
  stop(): void {
    if (this.#recorder?.state === "recording") this.#recorder.stop();
  }

  #end(recorder: MediaRecorder): void {
    if (this.#recorder !== recorder) return;
    this.#drawn?.release();
    this.#drawn = null;
    this.#recorder = null;
    this.progress.value = null;
  }
}
