/**
 * The LoRAs of the server as somebody changes them: one request at a time, and what was moved meanwhile in the next.
 * Knows no page.
 */

import { signal } from "@preact/signals";
import { fetchLoras, type LorasTold, patchLoras } from "../connection/lora_requests";
import { reasonOf } from "../languages/reason";

export class Loras {
  /** As the server told it last; null before it has. */
  readonly told = signal<LorasTold | null>(null);
  /** Weights that were asked for and are not in force yet; null where one is taken off. */
  readonly wanted = signal<Readonly<Record<string, number | null>>>({});
  /** Why the server refused; empty where it didn't. */
  readonly problem = signal("");
  #isAsking = false;

  /** Asks the server what is in force. */
  async look(): Promise<void> {
    try {
      this.told.value = await fetchLoras();
    } catch (error) {
      this.problem.value = reasonOf(error);
    }
  }

  /** Moves a weight, adds a LoRA by giving it one, or takes it off. */
  async set(name: string, weight: number | null): Promise<void> {
    this.wanted.value = { ...this.wanted.peek(), [name]: weight };
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.problem.value = "";
    while (Object.keys(this.wanted.peek()).length) await this.#ask(this.wanted.peek());
    this.#isAsking = false;
  }

  async #ask(asked: Readonly<Record<string, number | null>>): Promise<void> {
    try {
      this.told.value = await patchLoras(asked);
    } catch (error) {
      this.problem.value = reasonOf(error);
    }
    const left = Object.entries(this.wanted.peek()).filter(([name, weight]) => asked[name] !== weight || !(name in asked));
    this.wanted.value = Object.fromEntries(left);
  }
}
