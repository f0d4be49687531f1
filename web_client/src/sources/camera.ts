/** The webcam as a source: opens it, lists the others, names what went wrong. */

import { signal } from "@preact/signals";
import { type Picture, type Source, SourceError, type SourceProblem } from "./source";

export class Camera implements Source {
  readonly isStill = false;
  readonly view = document.createElement("video");
  readonly devices = signal<MediaDeviceInfo[]>([]);
  readonly deviceId = signal("");
  readonly mirrored = signal(true);

  readonly #onLost: (problem: SourceProblem) => void;
  #stream: MediaStream | null = null;
  #changed: () => void = () => {};
  /** Counts openings: a permission prompt may be answered after the source was switched away. */
  #opening = 0;

  constructor(onLost: (problem: SourceProblem) => void) {
    this.#onLost = onLost;
    this.view.muted = true;
    this.view.playsInline = true;
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
    if (!this.#stream || this.view.videoWidth === 0) return null;
    return {
      image: this.view,
      width: this.view.videoWidth,
      height: this.view.videoHeight,
      mirrored: this.mirrored.peek(),
    };
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
    this.view.srcObject = stream;
    // Rejects when the source is switched away before the first picture; that is no failure.
    await this.view.play().catch(() => {});
    this.view.requestVideoFrameCallback(this.#onVideoFrame);
    await this.#listDevices();
  }

  readonly #onVideoFrame = (): void => {
    if (!this.#stream) return;
    this.#changed();
    this.view.requestVideoFrameCallback(this.#onVideoFrame);
  };

  readonly #listDevices = async (): Promise<void> => {
    const devices = await navigator.mediaDevices.enumerateDevices();
    this.devices.value = devices.filter((device) => device.kind === "videoinput");
  };

  #release(): void {
    if (this.#stream) stopTracks(this.#stream);
    this.#stream = null;
    this.view.srcObject = null;
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

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
