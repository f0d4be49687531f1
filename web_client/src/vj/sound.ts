/** Listens to a microphone or another input and tells how loud it is, in all and in three bands. Nothing of it leaves the page. */

import { signal } from "@preact/signals";
import { kept, text } from "../browser/kept";
import { type Band, bandLevel, bands, levelOf, smoothed } from "./modulation";

/** Long enough to tell the lowest band's notes from nothing, 43 ms at 48 kHz. */
const SAMPLES = 2048;

export type Levels = Readonly<Record<Band, number>>;

const SILENCE: Levels = { all: 0, low: 0, mid: 0, high: 0 };

export class Sound {
  readonly isOn = signal(false);
  readonly levels = signal(SILENCE);
  readonly problem = signal<"refused" | "missing" | null>(null);
  readonly devices = signal<readonly MediaDeviceInfo[]>([]);
  readonly deviceId = kept("soundDevice", text, "");

  readonly #samples = new Float32Array(SAMPLES);
  readonly #spectrum = new Float32Array(SAMPLES / 2);
  #context: AudioContext | null = null;
  #stream: MediaStream | null = null;
  #analyser: AnalyserNode | null = null;

  async toggle(): Promise<void> {
    if (this.isOn.peek()) this.#end();
    else await this.#begin();
  }

  /** Listens to another device from now on. */
  async choose(deviceId: string): Promise<void> {
    this.deviceId.value = deviceId;
    if (!this.isOn.peek()) return;
    this.#end();
    await this.#begin();
  }

  /**
   * The levels now, each 0–1; null while nothing is heard.
   * @param gains by which each is multiplied.
   */
  read(gains: Levels): Levels | null {
    if (!this.#analyser || !this.#context) return null;
    const { sampleRate } = this.#context;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    this.#analyser.getFloatFrequencyData(this.#spectrum);
    const before = this.levels.peek();
    const now = bands.map((band) => {
      const level = band === "all" ? levelOf(this.#samples) : bandLevel(this.#spectrum, sampleRate, band);
      return [band, smoothed(before[band], Math.min(1, level * gains[band]))];
    });
    this.levels.value = Object.fromEntries(now) as Levels;
    return this.levels.peek();
  }

  async #begin(): Promise<void> {
    this.problem.value = null;
    if (!navigator.mediaDevices) {
      this.problem.value = "missing";
      return;
    }
    const deviceId = this.deviceId.peek();
    try {
      this.#stream = await openSound(deviceId);
    } catch (error) {
      this.problem.value = error instanceof DOMException && error.name === "NotFoundError" ? "missing" : "refused";
      return;
    }
    const [track] = this.#stream.getAudioTracks();
    // Unplugged: what it moved goes back.
    track?.addEventListener("ended", () => this.#end());
    this.deviceId.value = track?.getSettings().deviceId ?? deviceId;
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = SAMPLES;
    this.#analyser.smoothingTimeConstant = 0;
    this.#context.createMediaStreamSource(this.#stream).connect(this.#analyser);
    this.isOn.value = true;
    await this.#listDevices();
    navigator.mediaDevices.addEventListener("devicechange", this.#listDevices);
  }

  #end(): void {
    navigator.mediaDevices.removeEventListener("devicechange", this.#listDevices);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    void this.#context?.close();
    this.#stream = this.#context = this.#analyser = null;
    this.levels.value = SILENCE;
    this.isOn.value = false;
  }

  readonly #listDevices = async (): Promise<void> => {
    // A list that can't be had is no reason to do without sound.
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    this.devices.value = devices.filter(({ kind }) => kind === "audioinput");
  };
}

/** Of a device; where it is unplugged now, of another one. */
async function openSound(deviceId: string): Promise<MediaStream> {
  // Music is what is to be heard: what cleans speech would take it away.
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    // Chromium takes no notice of an ideal one.
    const device = deviceId && { deviceId: { exact: deviceId } };
    return await navigator.mediaDevices.getUserMedia({ audio: { ...audio, ...device } });
  } catch (error) {
    if (!deviceId || (error as Error).name !== "OverconstrainedError") throw error;
    return navigator.mediaDevices.getUserMedia({ audio });
  }
}
