/** Holds the sources, switches between them, and reports what went wrong with one. Knows no connection. */

import { signal } from "@preact/signals";
import { recall, remember } from "../browser/kept";
import type { Problems } from "../problems";
import { Camera } from "./camera";
import { DrawingCanvas } from "./canvas";
import { FileSource } from "./file";
import { Screen } from "./screen";
import { type OnSourceProblem, type Picture, type Source, SourceError, type SourceKind } from "./source";

/** For as long as the tab lives, like the session that the pictures go to. */
const KIND_KEY = "source";

export interface InputsOptions {
  problems: Problems;
  /** Called whenever the source in use has a new picture. */
  changed: () => void;
  /** Called with the source in use from now on, before it begins. */
  onUse: (source: Source) => void;
  /** Called when it has begun, or shows something of another kind. */
  onBegun: () => void;
}

export class Inputs {
  readonly #onProblem: OnSourceProblem = {
    onLost: (problem) => {
      this.#options.problems.report("source", problem);
      this.kind.value = null;
    },
    onBlank: (problem) => {
      if (problem) this.#options.problems.report("source", problem);
      else this.#options.problems.clear("source");
    },
  };
  readonly camera = new Camera(this.#onProblem);
  readonly screen = new Screen(this.#onProblem);
  readonly file = new FileSource();
  readonly canvas = new DrawingCanvas();
  readonly kind = signal<SourceKind | null>(null);
  readonly #options: InputsOptions;

  constructor(options: InputsOptions) {
    this.#options = options;
    // A still is not sent again by itself.
    for (const source of [this.camera, this.screen, this.file])
      source.crop.subscribe(() => source === this.source && options.changed());
  }

  get source(): Source | null {
    const { camera, screen, file, canvas } = this;
    const kind = this.kind.peek();
    return kind && { camera, screen, file, canvas }[kind];
  }

  /** The newest picture; null while there is none. */
  picture(): Picture | null {
    return this.source?.picture() ?? null;
  }

  /** Switches the source; the connection stays as it is. */
  async use(kind: SourceKind): Promise<void> {
    this.source?.stop();
    this.#options.problems.clear("source");
    this.kind.value = kind;
    remember(KIND_KEY, kind, "sessionStorage");
    const { source } = this;
    if (source) this.#options.onUse(source);
    await this.#try(kind, () => source?.start(this.#options.changed));
    // Not before it has started: a camera that is refused moves nothing.
    if (this.kind.peek() === kind) this.#options.onBegun();
  }

  /** Goes on with what a reload has interrupted: the drawing, or a camera that this page may use without asking. */
  async resume(): Promise<void> {
    const kind = recall(KIND_KEY, "sessionStorage");
    if (kind === "canvas") await this.use(kind);
    else if (kind === "camera" && (await mayUseCamera()) && this.kind.peek() === null) await this.use(kind);
  }

  /** Takes a picture or a video from the user: under a drawing, or as the source. */
  async open(file: File): Promise<void> {
    const { problems } = this.#options;
    let isWhole: boolean;
    try {
      if (file.name.toLowerCase().endsWith(".ora")) {
        if (this.kind.peek() !== "canvas") await this.use("canvas");
        return await this.canvas.open(file);
      }
      if (this.kind.peek() === "canvas" && file.type.startsWith("image/")) return await this.canvas.addPicture(file);
      isWhole = await this.file.open(file);
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      // What was the input goes on, and is no worse for it.
      if (this.kind.peek()) problems.mention(error.kind);
      else problems.report("source", error.kind);
      return;
    }
    problems.clear("source");
    if (!isWhole) problems.mention("stillOnly");
    if (this.kind.peek() !== "file") await this.use("file");
    // From a still to a video, say.
    else this.#options.onBegun();
  }

  async useCameraDevice(deviceId: string): Promise<void> {
    this.#options.problems.clear("source");
    await this.#try("camera", () => this.camera.choose(deviceId));
  }

  async useOtherScreen(): Promise<void> {
    this.#options.problems.clear("source");
    await this.#try("screen", () => this.screen.choose());
  }

  async #try(kind: SourceKind, begin: () => Promise<void> | undefined): Promise<void> {
    try {
      await begin();
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      if (this.kind.peek() !== kind) return;
      this.#options.problems.report("source", error.kind);
      this.kind.value = null;
    }
  }

}

async function mayUseCamera(): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name: "camera" as PermissionName })).state === "granted";
  } catch {
    // This browser doesn't tell, so it would ask.
    return false;
  }
}
