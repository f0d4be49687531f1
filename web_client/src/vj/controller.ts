/** Listens to MIDI controllers, and learns which knob or key is for what. Doesn't know what those things are. */

import { type Signal, signal } from "@preact/signals";
import { kept } from "../browser/kept";
import { type Bindings, bound, midiEvent, type MidiEvent, readBindings, unbound } from "./midi";

export class Controller {
  readonly bindings: Signal<Bindings> = kept("midi", readBindings, {});
  readonly state = signal<"off" | "on" | "refused" | "missing">("off");
  /** The target that the next knob or key is for; null while none is learned. */
  readonly learns = signal<string | null>(null);

  readonly #move: (target: string, event: MidiEvent) => void;
  readonly #isUsed: Signal<boolean>;

  /** @param isUsed whether there is one in use, which is listened to at once. */
  constructor(move: (target: string, event: MidiEvent) => void, isUsed: Signal<boolean>) {
    this.#move = move;
    this.#isUsed = isUsed;
    if (isUsed.peek()) void this.listen();
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
          input.onmidimessage = ({ data }) => data && this.#hear(midiEvent(data));
      };
      access.onstatechange = listen;
      listen();
      this.state.value = "on";
    } catch {
      this.state.value = "refused";
    }
    this.#isUsed.value = this.state.peek() === "on";
  }

  forget(target: string): void {
    this.bindings.value = unbound(this.bindings.peek(), target);
  }

  #hear(event: MidiEvent | null): void {
    if (!event) return;
    const learned = this.learns.peek();
    if (learned !== null) {
      this.bindings.value = bound(this.bindings.peek(), event.key, learned);
      this.learns.value = null;
      return;
    }
    const target = this.bindings.peek()[event.key];
    if (target !== undefined) this.#move(target, event);
  }
}
