/** What this page shows, and how: layout, mix, theme, dialogs. Nothing here concerns the server. */

import { batch, computed, type Signal, signal } from "@preact/signals";
import { flag, kept, oneOf, texts, within } from "../browser/kept";
import { airOf, blends, layersOf, layouts, type Mix, refuges } from "../program/mix";
import type { Air } from "../protocol";
import { Inset } from "./stage";

export const themes = ["automatic", "dark", "light"] as const;
export type Theme = (typeof themes)[number];

export type Dialog = "help" | "options" | "send" | "loras";
export const tabs = ["look", "show"] as const;
export type Tab = (typeof tabs)[number];

/** One step of the wipe or the opacity by keyboard. */
const MIX_STEP = 0.05;

export class View {
  readonly layout = kept("layout", oneOf(layouts), "inset");
  readonly inset = new Inset();
  readonly blend = kept("blend", oneOf(blends), "wipe");
  readonly opacity = kept("opacity", within(0, 1), 0.5);
  readonly wipe = kept("wipe", within(0, 1), 0.5);
  readonly isBypassed = signal(false);
  readonly isPanicked = signal(false);
  readonly refuge = kept("refuge", oneOf(refuges), "black");
  readonly showsHud = kept("measurements", flag, false);
  readonly showsPlot = kept("plot", flag, false);
  /** The folds of the settings that are open. */
  readonly openFolds = kept<readonly string[]>("openFolds", texts, ["amount"]);
  /** Whether the line of pads is there: not at first, for the sake of the result. */
  readonly showsPads = kept("showsPads", flag, false);
  readonly showsDecks = kept("showsDecks", flag, false);
  readonly showsAllStyles = kept("allStyles", flag, false);
  readonly theme = kept("theme", oneOf(themes), "dark");
  /** Whether a recording has the input beside the output. */
  readonly recordsBoth = kept("recordsBoth", flag, false);
  /** Whether a MIDI controller is in use: after a reload nobody wants to press a button for it again. */
  readonly usesMidi = kept("usesMidi", flag, false);
  readonly tab = signal<Tab>("look");
  /** The dialog that is open; null where none is. */
  readonly dialog = signal<Dialog | null>(null);

  readonly mix = computed<Mix>(() => ({
    layout: this.layout.value,
    blend: this.blend.value,
    opacity: this.opacity.value,
    wipe: this.wipe.value,
    isBypassed: this.isBypassed.value,
    isPanicked: this.isPanicked.value,
    refuge: this.refuge.value,
  }));
  readonly layers = computed(() => layersOf(this.mix.value));
  /** What the session's viewers are to see. */
  readonly air = computed(() => airOf(this.mix.value));
  /** Whether something else than the output is to be seen in its place. */
  readonly isCut = computed(() => this.isBypassed.value || this.isPanicked.value);

  /** The element that goes full screen. */
  stage: HTMLElement | null = null;

  /** The wipe or the opacity, whichever is in use. */
  get amount(): Signal<number> {
    return this.blend.value === "wipe" ? this.wipe : this.opacity;
  }

  /** Moves the wipe or the opacity by steps. */
  mixBy(steps: number): void {
    const { amount } = this;
    amount.value = Math.min(1, Math.max(0, Number((amount.peek() + steps * MIX_STEP).toFixed(4))));
  }

  /** Takes over what is on air already, as after a reload. */
  follow(air: Air): void {
    batch(() => {
      this.isPanicked.value = air === "black";
      this.isBypassed.value = air === "bypass";
      if (air === "black") this.refuge.value = "black";
    });
  }

  toggleFullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    // Refused where the browser or an embedding page forbids it; then nothing happens, as the user sees.
    else void this.stage?.requestFullscreen?.().catch(() => {});
  }

  toggleDialog(dialog: Dialog): void {
    this.dialog.value = this.dialog.peek() === dialog ? null : dialog;
  }

  setFold(name: string, isOpen: boolean): void {
    const others = this.openFolds.peek().filter((each) => each !== name);
    this.openFolds.value = isOpen ? [...others, name] : others;
  }

  nextLayout(): void {
    this.layout.value = layouts[(layouts.indexOf(this.layout.peek()) + 1) % layouts.length] ?? "inset";
  }
}
