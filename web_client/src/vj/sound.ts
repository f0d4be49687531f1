/** Listens to the microphone and tells how loud it is. Nothing of it leaves the page. */

import { signal } from "@preact/signals";
import { levelOf, smoothed } from "./modulation";

const SAMPLES = 1024;

export class Sound {
  readonly isOn = signal(false);
  readonly level = signal(0);
  readonly problem = signal<"refused" | "missing" | null>(null);

  readonly #samples = new Float32Array(SAMPLES);
  #context: AudioContext | null = null;
  #stream: MediaStream | null = null;
  #analyser: AnalyserNode | null = null;

  async toggle(): Promise<void> {
    if (this.isOn.peek()) this.#end();
    else await this.#begin();
  }

  /** The level now, 0–1; null while nothing is heard. */
  read(): number | null {
    if (!this.#analyser) return null;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    this.level.value = smoothed(this.level.peek(), levelOf(this.#samples));
    return this.level.peek();
  }

  async #begin(): Promise<void> {
    this.problem.value = null;
    if (!navigator.mediaDevices) {
      this.problem.value = "missing";
      return;
    }
    try {
      // Music is what is to be heard: what cleans speech would take it away.
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      this.problem.value = error instanceof DOMException && error.name === "NotFoundError" ? "missing" : "refused";
      return;
    }
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = SAMPLES;
    this.#context.createMediaStreamSource(this.#stream).connect(this.#analyser);
    this.isOn.value = true;
  }

  #end(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    void this.#context?.close();
    this.#stream = this.#context = this.#analyser = null;
    this.level.value = 0;
    this.isOn.value = false;
  }
}
