/**
 * The two decks as the page plays them. Most people have one input: what decks are is loaded when they are opened,
 * commanded from elsewhere, or were interrupted by a reload.
 */

import { signal } from "@preact/signals";
import { recall } from "../browser/kept";
import type { WireCrossfade } from "../protocol";
import type { Decks } from "../sources/decks";
import { DECKS_KEY } from "../sources/inputs";
import type { Client } from "./client";
import type { OpenDecks } from "./decks";

const STEP = 0.05;
/** From deck to deck, where changes take no time. */
const FADE_S = 1;

export class Mixer {
  /** Both decks and the clips; null until they are opened. */
  readonly decks = signal<Decks | null>(null);

  readonly #client: Client;
  #opened: OpenDecks | null = null;
  #isThere = false;
  #theirs: WireCrossfade | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Opens the decks where a reload has interrupted them. */
  async resume(): Promise<void> {
    if (recall(DECKS_KEY, "sessionStorage")) await this.open();
  }

  async open(): Promise<OpenDecks> {
    const { openDecks } = await import("./decks");
    if (!this.#opened) {
      this.#opened = openDecks(this.#client);
      this.decks.value = this.#opened.decks;
      if (this.#isThere) this.#opened.there.connected(this.#theirs);
    }
    return this.#opened;
  }

  /** How long the way from deck to deck takes: as every change does, or else so long that it is one. */
  get fade_s(): number {
    const { transition_s } = this.#client.params.shown.value;
    return Number(transition_s) || FADE_S;
  }

  cut(): void {
    this.decks.peek()?.fader.cut();
  }

  fade(): void {
    this.decks.peek()?.fader.go(this.fade_s);
  }

  /** Moves the crossfader by a step. */
  step(direction: 1 | -1): void {
    const fader = this.decks.peek()?.fader;
    fader?.set(fader.at.peek() + direction * STEP);
  }

  set(at: number): void {
    this.decks.peek()?.fader.set(at);
  }

  callClip(index: number): void {
    const decks = this.decks.peek();
    const clip = decks?.clips.clips.peek()[index];
    if (clip) void decks?.play(clip);
  }

  /**
   * There is a new connection, and maybe another session.
   * @param theirs where others have moved its crossfader.
   */
  async connected(theirs?: WireCrossfade): Promise<void> {
    const isOpen = this.#opened !== null;
    this.#isThere = true;
    this.#theirs = theirs;
    if (isOpen) this.#opened?.there.connected(theirs);
    // The first deck alone is what a page without decks shows.
    else if (theirs && theirs.at > 0) await this.open();
  }

  /** Somebody else has moved the crossfader. */
  async follow(crossfade: WireCrossfade): Promise<void> {
    (await this.open()).there.follow(crossfade);
  }
}
