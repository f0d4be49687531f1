/** The webcam as a source: opens it, lists the others, names what went wrong. */

import { type Signal, signal } from "@preact/signals";
import { flag, kept, text } from "../browser/kept";
import { Capture } from "./capture";
import { CENTRE, readPlace } from "./crop";
import { type CroppedSource, type CropPlace, type OnSourceProblem, type Picture, SourceError, type SourceProblem } from "./source";

export class Camera implements CroppedSource {
  readonly isStill = false;
  readonly devices = signal<MediaDeviceInfo[]>([]);
  readonly deviceId: Signal<string>;
  readonly crop: Signal<CropPlace>;

  readonly #capture: Capture;
  readonly view: HTMLElement;
  readonly shape: CroppedSource["shape"];
  readonly #facesAway = signal(false);
  readonly #mirrorsFacing: Signal<boolean>;
  readonly #mirrorsAway: Signal<boolean>;
  #changed: () => void = () => {};

  /** @param name under which the browser keeps what was chosen for it: nothing of the first deck's. */
  constructor({ onLost, onBlank }: OnSourceProblem, name = "") {
    this.deviceId = kept(`camera${name}`, text, "");
    this.crop = kept(`cameraCrop${name}`, readPlace, CENTRE);
    this.#mirrorsFacing = kept(`mirrored${name}`, flag, true);
    this.#mirrorsAway = kept(`mirroredAway${name}`, flag, false);
    this.#capture = new Capture({ onEnded: () => onLost("cameraLost"), onBlank, black: "cameraBlack" });
    ({ view: this.view, shape: this.shape } = this.#capture);
  }

  /** Whether it is shown and sent like a mirror: of the camera on a phone's back other people read the letters. */
  get mirrored(): Signal<boolean> {
    return this.#facesAway.value ? this.#mirrorsAway : this.#mirrorsFacing;
  }

  async start(changed: () => void): Promise<void> {
    this.#changed = changed;
    await this.choose(this.deviceId.peek());
    navigator.mediaDevices.addEventListener("devicechange", this.#listDevices);
  }

  stop(): void {
    navigator.mediaDevices?.removeEventListener("devicechange", this.#listDevices);
    this.#capture.stop();
  }

  async choose(deviceId: string): Promise<void> {
    // First: many systems open a camera once only.
    this.#capture.release();
    // Outside a secure context the whole object is missing, whatever the types say.
    if (!window.isSecureContext || !navigator.mediaDevices) throw new SourceError("cameraInsecure");
    const stream = await this.#capture.open(() => openCamera(deviceId), this.#changed);
    if (!stream) return;
    const settings = stream.getVideoTracks()[0]?.getSettings();
    this.deviceId.value = settings?.deviceId ?? deviceId;
    this.#facesAway.value = settings?.facingMode === "environment";
    await this.#listDevices();
  }

  picture(): Picture | null {
    return this.#capture.picture(this.mirrored.peek(), this.crop.peek());
  }

  readonly #listDevices = async (): Promise<void> => {
    // A list that can't be had is no reason to do without the camera.
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    this.devices.value = devices.filter((device) => device.kind === "videoinput");
  };
}

async function openCamera(deviceId: string): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: {
        // Not exactly: one that was chosen last week and is unplugged now gives way to another.
        ...(deviceId ? { deviceId: { ideal: deviceId } } : {}),
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
