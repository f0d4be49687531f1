/** Listens to MIDI controllers, and learns which knob or key is for what. Doesn't know what those things are. */

import { type Signal, signal } from "@preact/signals";
import { kept } from "../browser/kept";
import type { Clock } from "../browser/clock";
import { type Bindings, bound, midiEvent, type MidiEvent, readBindings, unbound } from "./midi";
import { heardClock, isClock, unheard } from "./midi_clock";
import type { Tempo } from "./tempo";

export interface ControllerOptions {
  clock: Clock;
  move: (target: string, event: MidiEvent) => void;
  /** A beat of a MIDI clock begins. */
  onTempo: (tempo: Tempo) => void;
  /** Whether there is a controller in use, which is listened to at once. */
  isUsed: Signal<boolean>;
}

export class Controller {
  readonly bindings: Signal<Bindings> = kept("midi", readBindings, {});
  readonly state = signal<"off" | "on" | "refused" | "missing">("off");
  /** Whether controls are being learned: a click on one chooses it, and the next knob or key is for it. */
  readonly isLearning = signal(false);
  /** The target that the next knob or key is for; null while none is learned. */
  readonly learns = signal<string | null>(null);
  /** Whether a MIDI clock is heard, and has said a tempo. */
  readonly hearsClock = signal(false);

  readonly #options: ControllerOptions;
  #clockHeard = unheard;

  constructor(options: ControllerOptions) {
    this.#options = options;
    if (options.isUsed.peek()) void this.listen();
  }

  /** Begins to learn, or ends it. Asks for the controllers first, where nobody has. */
  async toggleLearning(): Promise<void> {
    const begins = !this.isLearning.peek();
    if (begins && this.state.peek() !== "on") await this.listen();
    this.learns.value = null;
    this.isLearning.value = begins && this.state.peek() === "on";
  }

  async listen(): Promise<void> {
    if (!navigator.requestMIDIAccess) {
      this.state.value = "missing";
      return;
    }
    try {
      const access = await navigator.requestMIDIAccess();
      const listen = () => {
        for (const input of access.inputs.values())
          input.onmidimessage = ({ data }) => data && this.hear(data);
      };
      access.onstatechange = listen;
      listen();
      this.state.value = "on";
    } catch {
      this.state.value = "refused";
    }
    this.#options.isUsed.value = this.state.peek() === "on";
  }

  forget(target: string): void {
    this.bindings.value = unbound(this.bindings.peek(), target);
  }

  /** A message has come. */
  hear(data: ArrayLike<number>): void {
    if (isClock(data)) {
      const [heard, tempo] = heardClock(this.#clockHeard, data, this.#options.clock.now());
      this.#clockHeard = heard;
      if (!tempo) return;
      this.hearsClock.value = true;
      this.#options.onTempo(tempo);
      return;
    }
    const event = midiEvent(data);
    if (!event) return;
    const learned = this.learns.peek();
    if (learned !== null) {
      this.bindings.value = bound(this.bindings.peek(), event.key, learned);
      this.learns.value = null;
      return;
    }
    const target = this.bindings.peek()[event.key];
    if (target !== undefined) this.#options.move(target, event);
  }
}
