/** The panel's controls, and how keys and dice move the numbers among them. Knows no wire. */

import { signal } from "@preact/signals";
import type { Value } from "../protocol";
import { moved, seedFrom } from "./numbers";
import type { ParamsStore } from "./params";
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

  /** @param random in [0, 1). */
  newSeed(random: number): void {
    this.#params.edit("seed", seedFrom(this.number("seed") ?? { min: null, max: null }, random), "sliding");
  }
}
