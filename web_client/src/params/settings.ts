/** The panel's controls, and how keys, dice and ready-made values move them. Knows no wire. */

import { signal } from "@preact/signals";
import type { Value } from "../protocol";
import { moved, seedFrom } from "./numbers";
import type { ParamsStore } from "./params";
import { type ReadyMade, toggled } from "./ready_made";
import type { Control, NumberControl } from "./schema";

export class Settings {
  /** Empty before the schema is loaded. */
  readonly controls = signal<readonly Control[]>([]);

  readonly #params: Pick<ParamsStore, "shown" | "edit">;

  constructor(params: Pick<ParamsStore, "shown" | "edit">) {
    this.#params = params;
  }

  /** The control of a number field; undefined where there is none of that name. */
  number(name: string): NumberControl | undefined {
    return this.controls.peek().find((control): control is NumberControl => control.kind === "number" && control.name === name);
  }

  /** Moves a number by a share of its range. */
  nudge(field: string, share: number): void {
    const control = this.number(field);
    const value: Value | undefined = this.#params.shown.peek()[field];
    if (control && typeof value === "number") this.#params.edit(field, moved(control, value, share), "sliding");
  }

  /** Calls what is ready made, or takes it back where it is on. */
  toggle(one: ReadyMade): void {
    const values = toggled(one, this.#params.shown.peek(), this.controls.peek());
    for (const [field, value] of Object.entries(values)) this.#params.edit(field, value, "sliding");
  }

  /** @param random in [0, 1). */
  newSeed(random: number, transition_s?: number): void {
    const seed = seedFrom(this.number("seed") ?? { min: null, max: null }, random);
    this.#params.edit("seed", seed, "sliding", transition_s);
  }
}
