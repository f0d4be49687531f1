/** The webcam as a source: opens it, lists the others, names what went wrong. */

import { signal } from "@preact/signals";
import { MovingPicture, stopTracks } from "./moving";
import { type CroppedSource, type Picture, SourceError, type SourceProblem } from "./source";

export class Camera implements CroppedSource {
  readonly isStill = false;
  readonly devices = signal<MediaDeviceInfo[]>([]);
  readonly deviceId = signal("");
  readonly mirrored = signal(true);

  readonly #moving = new MovingPicture();
  readonly view = this.#moving.view;
  readonly shape = this.#moving.shape;
  readonly #onLost: (problem: SourceProblem) => void;
  #stream: MediaStream | null = null;
  #changed: () => void = () => {};
  /** Counts openings: a permission prompt may be answered after the source was switched away. */
  #opening = 0;

  constructor(onLost: (problem: SourceProblem) => void) {
    this.#onLost = onLost;
  }

  async start(changed: () => void): Promise<void> {
    this.#changed = changed;
    await this.#open(this.deviceId.peek());
    navigator.mediaDevices.addEventListener("devicechange", this.#listDevices);
  }

  stop(): void {
    this.#opening++;
    navigator.mediaDevices?.removeEventListener("devicechange", this.#listDevices);
    this.#release();
  }

  async choose(deviceId: string): Promise<void> {
    await this.#open(deviceId);
  }

  picture(): Picture | null {
    return this.#moving.picture(this.mirrored.peek());
  }

  async #open(deviceId: string): Promise<void> {
    const opening = ++this.#opening;
    this.#release();
    // Outside a secure context the whole object is missing, whatever the types say.
    if (!window.isSecureContext || !navigator.mediaDevices) throw new SourceError("cameraInsecure");
    const stream = await openCamera(deviceId);
    if (opening !== this.#opening) {
      stopTracks(stream);
      return;
    }
    this.#stream = stream;
    const track = stream.getVideoTracks()[0];
    this.deviceId.value = track?.getSettings().deviceId ?? deviceId;
    track?.addEventListener("ended", () => {
      if (stream !== this.#stream) return;
      this.#release();
      this.#onLost("cameraLost");
    });
    await this.#moving.show(stream, this.#changed);
    await this.#listDevices();
  }

  readonly #listDevices = async (): Promise<void> => {
    const devices = await navigator.mediaDevices.enumerateDevices();
    this.devices.value = devices.filter((device) => device.kind === "videoinput");
  };

  #release(): void {
    if (this.#stream) stopTracks(this.#stream);
    this.#stream = null;
    this.#moving.clear();
  }
}

async function openCamera(deviceId: string): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: {
        ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
        width: { ideal: 1280 },
        height: { ideal: 720 },
        frameRate: { ideal: 30 },
      },
    });
  } catch (error) {
    throw new SourceError(problemOf(error), error);
  }
}

function problemOf(error: unknown): SourceProblem {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "cameraRefused";
    case "NotFoundError":
    case "OverconstrainedError":
      return "cameraMissing";
    default:
      return "cameraBusy";
  }
}
