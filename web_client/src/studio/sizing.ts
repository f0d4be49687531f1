/** The size of the pictures: chosen by shape and detail, measured, and at the first start the camera's own shape. */

import { computed, effect } from "@preact/signals";
import { recall, remember } from "../browser/kept";
import { Sharpest } from "../params/sharpest";
import { chosenIn, type Detail, type PictureShape, type Size, shapeOf, sizeChoices, sizeFor } from "../params/sizes";
import { SizeRates, sizeKey } from "../receiving/size_rates";
import type { Stats } from "../protocol";
import type { Client } from "./client";

/** Whether this tab's size was chosen, by somebody or by the camera's shape. */
const SIZED = "sized";
/** Side of the smallest pictures that a camera begins with. */
const SMALLEST_PX = 256;

export class Sizing {
  readonly rates = new SizeRates();
  readonly #client: Client;
  /** While a first size is looked for. */
  #sharpest: Sharpest | null = null;
  #taken = "";
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
      if (!stats || !params) return;
      this.rates.add(performance.now(), stats, client.server.model.peek(), params, this.#isLive);
      this.#sharpen(stats, params as unknown as Size);
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
    this.#sharpest = null;
    this.#set(this.size(wanted));
  }

  #set(size: Size | null): void {
    if (!size) return;
    for (const side of ["width", "height"] as const) this.#client.params.edit(side, size[side], "sliding");
  }

  /** Where nobody has chosen a size in this tab yet; the sharpest of that shape is looked for from there. */
  #takeCamerasShape(): void {
    const [choices, camera, inForce] = [this.choices.value, this.#camera.value, this.#client.params.inForce.value];
    if (!choices || !camera || !inForce || recall(SIZED, "sessionStorage")) return;
    remember(SIZED, "yes", "sessionStorage");
    const { own } = choices;
    const shape = shapeOf(choices, camera);
    const isUntouched = inForce.width === own.width && inForce.height === own.height;
    if (!isUntouched || !shape) return;
    const pixels = own.width * own.height;
    this.#sharpest = new Sharpest(pixels, [Math.min(pixels, SMALLEST_PX ** 2), ...choices.details.values()]);
    this.#take(sizeFor(shape, pixels, choices));
  }

  /** Once a second. Ends where the size is changed by anything else. */
  #sharpen(stats: Stats, inForce: Size): void {
    const choices = this.choices.peek();
    if (!this.#sharpest || this.#sharpest.isOver || !choices || !this.#isLive) return;
    if (stats.governor || sizeKey(this.#client.params.shown.peek() as unknown as Size) !== this.#taken) {
      this.#sharpest = null;
    } else if (sizeKey(inForce) === this.#taken) {
      const pixels = this.#sharpest.add(stats);
      if (pixels) this.#take(sizeFor({ name: "", ratio: inForce.width / inForce.height }, pixels, choices));
    }
  }

  #take(size: Size): void {
    this.#taken = sizeKey(size);
    this.#set(size);
  }

  /** Whether pictures go to the server as fast as the input has them. */
  get #isLive(): boolean {
    const { inputs, server, connection } = this.#client;
    return inputs.source?.isStill === false && !server.isFrozen.peek() && connection.isOpen && !document.hidden;
  }
}
