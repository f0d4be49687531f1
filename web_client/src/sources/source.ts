/** The interface of everything that can be an input. A source knows neither the connection nor the wire. */

import type { Signal } from "@preact/signals";

/** Where a picture is cut: the share of what is too much of it that goes on the left, and above. */
export interface CropPlace {
  readonly x: number;
  readonly y: number;
}

export interface Picture {
  image: CanvasImageSource;
  width: number;
  height: number;
  mirrored: boolean;
  /** Where it is cut if its shape is another, before it is mirrored; in the middle without. */
  crop?: CropPlace | undefined;
  /** Whether it is sent with its transparency, and not on paper. */
  isTransparent?: boolean;
  /** Whether there is nothing in it to restyle: it is shown as it is. */
  isBlank?: boolean;
}

/** In the order in which they are offered. */
export const sourceKinds = ["camera", "screen", "file", "canvas"] as const;
export type SourceKind = (typeof sourceKinds)[number];

export interface Source {
  /** Whether its picture mostly rests, and sharp edges matter more than even motion. */
  readonly isStill: boolean;
  /** The element in the input pane. */
  readonly view: HTMLElement;
  /** Begins; `changed` is called whenever there is a new picture. Rejects with a SourceError. */
  start(changed: () => void): Promise<void>;
  stop(): void;
  /** The newest picture; null while there is none. */
  picture(): Picture | null;
}

/** Two sources as one, which is sent in their place. */
export interface MixedSource extends Source {
  /** The first of the two has a new picture; returns whether anything of it is to be seen. */
  touch(): boolean;
}

/** A source whose pictures have a shape of their own, and are cropped to that of the picture that is made. */
export interface CroppedSource extends Source {
  /** Width by height of its pictures; null while there is none. */
  readonly shape: Signal<{ width: number; height: number } | null>;
  /** Where they are cut. */
  readonly crop: Signal<CropPlace>;
}

/** Told of what goes wrong with a source while it runs. */
export interface OnSourceProblem {
  /** It has ended. */
  onLost: (problem: SourceProblem) => void;
  /** It has no picture at the moment; null: it has one again. */
  onBlank: (problem: SourceProblem | null) => void;
}

export type SourceProblem =
  | "cameraRefused"
  | "cameraMissing"
  | "cameraBusy"
  | "cameraInsecure"
  | "cameraLost"
  | "cameraBlack"
  | "inputMuted"
  | "screenRefused"
  | "screenInsecure"
  | "screenMissing"
  | "screenBusy"
  | "screenEnded"
  | "fileUnreadable"
  | "layersFull";

export class SourceError extends Error {
  readonly kind: SourceProblem;

  constructor(kind: SourceProblem, cause?: unknown) {
    super(kind, { cause });
    this.kind = kind;
  }
}
