/** What every input is to the rest of the client. A source knows neither the connection nor the wire. */

export interface Picture {
  image: CanvasImageSource;
  width: number;
  height: number;
  mirrored: boolean;
}

export type SourceKind = "camera" | "canvas";

export interface Source {
  /** Whether its picture mostly rests, and sharp edges matter more than even motion. */
  readonly isStill: boolean;
  /** What the input pane shows. */
  readonly view: HTMLElement;
  /** Begins; `changed` is called whenever there is a new picture. Rejects with a SourceError. */
  start(changed: () => void): Promise<void>;
  stop(): void;
  /** The newest picture; null while there is none. */
  picture(): Picture | null;
}

export type SourceProblem = "cameraRefused" | "cameraMissing" | "cameraBusy" | "cameraInsecure" | "cameraLost";

export class SourceError extends Error {
  readonly kind: SourceProblem;

  constructor(kind: SourceProblem, cause?: unknown) {
    super(kind, { cause });
    this.kind = kind;
  }
}
