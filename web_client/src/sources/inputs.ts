/** Holds the sources, switches between them, and reports what went wrong with one. Knows no connection. */

import { signal } from "@preact/signals";
import { recall, remember } from "../browser/kept";
import type { Problems, Scope } from "../problems";
import { Camera } from "./camera";
import type { DrawingCanvas } from "./canvas";
import { FileSource } from "./file";
import { Screen } from "./screen";
import { type MixedSource, type OnSourceProblem, type Picture, type Source, SourceError, type SourceKind } from "./source";

/** For as long as the tab lives, like the session that the pictures go to. */
const KIND_KEY = "source";
/** As long, what two decks have; empty where there is one input. */
export const DECKS_KEY = "decks";

export interface InputsOptions {
  problems: Problems;
  /** What its problems belong to. */
  scope?: Scope;
  /** Added to the names under which the browser keeps what is chosen for it. */
  name?: string;
  /** Opens the drawing, in the place of a new one. */
  openCanvas?: () => Promise<DrawingCanvas>;
  /** Called with the drawing, before it is used for the first time. */
  onCanvas?: (canvas: DrawingCanvas) => void;
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
      this.#options.problems.report(this.#scope, problem);
      this.kind.value = null;
    },
    onBlank: (problem) => {
      if (problem) this.#options.problems.report(this.#scope, problem);
      else this.#options.problems.clear(this.#scope);
    },
  };
  readonly camera: Camera;
  readonly screen = new Screen(this.#onProblem);
  readonly file = new FileSource();
  readonly kind = signal<SourceKind | null>(null);
  /** What is sent in the place of the source in use; null: that itself. */
  readonly mixed = signal<MixedSource | null>(null);
  readonly #options: InputsOptions;
  readonly #scope: Scope;
  readonly #kindKey: string;
  readonly #canvas = signal<DrawingCanvas | null>(null);
  #opening: Promise<DrawingCanvas> | null = null;
  /** Counts what was chosen. */
  #choices = 0;

  constructor(options: InputsOptions) {
    this.#options = options;
    const { scope = "source", name = "" } = options;
    this.#scope = scope;
    this.#kindKey = KIND_KEY + name;
    this.camera = new Camera(this.#onProblem, name);
    // A still is not sent again by itself.
    for (const source of [this.camera, this.screen, this.file])
      source.crop.subscribe(() => source === this.own && this.#changed());
  }

  /** The drawing; null before it is first used. */
  get canvas(): DrawingCanvas | null {
    return this.#canvas.value;
  }

  /** There is something new to send. */
  get changed(): () => void {
    return this.#options.changed;
  }

  /** What is sent: the source in use, or its mix with another. */
  get source(): Source | null {
    return this.mixed.peek() ?? this.own;
  }

  /** The source in use. */
  get own(): Source | null {
    const { camera, screen, file } = this;
    const kind = this.kind.peek();
    return kind && { camera, screen, file, canvas: this.#canvas.peek() }[kind];
  }

  /** The newest picture; null while there is none. */
  picture(): Picture | null {
    return this.source?.picture() ?? null;
  }

  /** Switches the source; the connection stays as it is. */
  async use(kind: SourceKind): Promise<void> {
    const choice = ++this.#choices;
    if (kind === "canvas" && !this.#canvas.peek()) {
      await this.openCanvas();
      // Something else was chosen while it was loaded.
      if (choice !== this.#choices) return;
    }
    this.own?.stop();
    this.#options.problems.clear(this.#scope);
    this.kind.value = kind;
    remember(this.#kindKey, kind, "sessionStorage");
    if (this.source) this.#options.onUse(this.source);
    await this.#try(kind, () => this.own?.start(this.#changed));
    // Not before it has started: a camera that is refused moves nothing.
    if (this.kind.peek() === kind) this.#options.onBegun();
  }

  /** Loads the drawing, unless it is there: many a page never has one. */
  openCanvas(): Promise<DrawingCanvas> {
    const { openCanvas = newCanvas, onCanvas } = this.#options;
    this.#opening ??= openCanvas().then(
      (canvas) => {
        onCanvas?.(canvas);
        return (this.#canvas.value = canvas);
      },
      (error: unknown) => {
        this.#opening = null;
        throw error;
      },
    );
    return this.#opening;
  }

  /** Uses none any more. */
  clear(): void {
    this.#choices++;
    this.own?.stop();
    this.#options.problems.clear(this.#scope);
    this.kind.value = null;
    remember(this.#kindKey, "", "sessionStorage");
  }

  /** Sends a mix in the place of the source in use, or with null that itself again. */
  mixInto(mixed: MixedSource | null): void {
    this.mixed.value = mixed;
    if (!this.source) return;
    this.#options.onUse(this.source);
    this.#options.onBegun();
    mixed?.touch();
    this.changed();
  }

  /** Goes on with what a reload has interrupted: the drawing, or a camera that this page may use without asking. */
  async resume(): Promise<void> {
    const kind = recall(this.#kindKey, "sessionStorage");
    if (kind === "canvas") await this.use(kind);
    else if (kind === "camera" && (await mayUseCamera()) && this.kind.peek() === null) await this.use(kind);
  }

  /** Takes a picture or a video from the user: under a drawing, or as the source. */
  async open(file: File): Promise<void> {
    try {
      if (file.name.toLowerCase().endsWith(".ora")) {
        if (this.kind.peek() !== "canvas") await this.use("canvas");
        return await this.canvas?.open(file);
      }
      if (this.kind.peek() === "canvas" && file.type.startsWith("image/")) return await this.canvas?.addPicture(file);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    await this.play(file);
  }

  /** Takes a picture or a video as the source. */
  async play(file: File): Promise<void> {
    const { problems } = this.#options;
    let isWhole: boolean;
    try {
      isWhole = await this.file.open(file);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    problems.clear(this.#scope);
    if (!isWhole) problems.mention("stillOnly");
    if (this.kind.peek() !== "file") await this.use("file");
    // From a still to a video, say.
    else this.#options.onBegun();
  }

  async useCameraDevice(deviceId: string): Promise<void> {
    this.#options.problems.clear(this.#scope);
    await this.#try("camera", () => this.camera.choose(deviceId));
  }

  async useOtherScreen(): Promise<void> {
    this.#options.problems.clear(this.#scope);
    await this.#try("screen", () => this.screen.choose());
  }

  async #try(kind: SourceKind, begin: () => Promise<void> | undefined): Promise<void> {
    try {
      await begin();
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      if (this.kind.peek() !== kind) return;
      this.#options.problems.report(this.#scope, error.kind);
      this.kind.value = null;
    }
  }

  readonly #changed = (): void => {
    if (this.mixed.peek()?.touch() !== false) this.changed();
  };

  /** A file can't be shown. What was the input goes on, and is no worse for it. */
  #refuse(error: unknown): void {
    if (!(error instanceof SourceError)) throw error;
    if (this.kind.peek()) this.#options.problems.mention(error.kind);
    else this.#options.problems.report(this.#scope, error.kind);
  }
}

async function newCanvas(): Promise<DrawingCanvas> {
  const { DrawingCanvas } = await import("./canvas");
  return new DrawingCanvas();
}

async function mayUseCamera(): Promise<boolean> {
  try {
    return (await navigator.permissions.query({ name: "camera" as PermissionName })).state === "granted";
  } catch {
    // This browser doesn't tell, so it would ask.
    return false;
  }
}
