/** The size of the pictures: chosen by shape and detail, measured, and at the first start the camera's own shape. */

import { computed, effect } from "@preact/signals";
import { recall, remember } from "../browser/kept";
import { chosenIn, type Detail, type PictureShape, type Size, shapeOf, sizeChoices, sizeFor } from "../params/sizes";
import { SizeRates } from "../receiving/size_rates";
import type { Client } from "./client";

/** Whether this tab's size was chosen, by somebody or by the camera's shape. */
const SIZED = "sized";

export class Sizing {
  readonly rates = new SizeRates();
  readonly #client: Client;
  readonly #camera = computed(() => {
    const { kind, camera } = this.#client.inputs;
    return kind.value === "camera" ? camera.shape.value : null;
  });
  /** Null where there are none. */
  readonly choices = computed(() => {
    const { settings, maxPixels } = this.#client;
    return sizeChoices(settings.controls.value, maxPixels.value, this.#camera.value);
  });
  readonly chosen = computed(() => {
    const choices = this.choices.value;
    return choices && chosenIn(choices, this.#client.params.shown.value as unknown as Size);
  });

  constructor(client: Client) {
    this.#client = client;
    effect(() => this.#takeCamerasShape());
    client.server.stats.subscribe((stats) => {
      const params = client.params.inForce.peek();
      if (stats && params) this.rates.add(performance.now(), stats, client.server.model.peek(), params, this.#isLive);
    });
  }

  /** The size that a choice makes; what isn't chosen stays. Null where there is none. */
  size(wanted: { shape?: PictureShape; detail?: Detail }): Size | null {
    const [choices, chosen] = [this.choices.value, this.chosen.value];
    if (!choices || !chosen) return null;
    const { width, height } = this.#client.params.shown.value as unknown as Size;
    const shape = wanted.shape ?? chosen.shape ?? { name: "", ratio: width / height };
    const detail = wanted.detail ?? chosen.detail;
    return sizeFor(shape, (detail && choices.details.get(detail)) ?? width * height, choices);
  }

  choose(wanted: { shape?: PictureShape; detail?: Detail }): void {
    remember(SIZED, "yes", "sessionStorage");
    this.#set(this.size(wanted));
  }

  #set(size: Size | null): void {
    if (!size) return;
    for (const side of ["width", "height"] as const) this.#client.params.edit(side, size[side], "sliding");
  }

  /** Where nobody has chosen a size in this tab yet. */
  #takeCamerasShape(): void {
    const [choices, camera, inForce] = [this.choices.value, this.#camera.value, this.#client.params.inForce.value];
    if (!choices || !camera || !inForce || recall(SIZED, "sessionStorage")) return;
    remember(SIZED, "yes", "sessionStorage");
    const { own } = choices;
    const shape = shapeOf(choices, camera);
    const isUntouched = inForce.width === own.width && inForce.height === own.height;
    if (isUntouched && shape) this.#set(sizeFor(shape, own.width * own.height, choices));
  }

  /** Whether pictures go to the server as fast as the input has them. */
  get #isLive(): boolean {
    const { inputs, server, connection } = this.#client;
    return inputs.source?.isStill === false && !server.isFrozen.peek() && connection.isOpen && !document.hidden;
  }
}
