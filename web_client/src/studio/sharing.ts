/** Looks and presets that come from files and addresses, and go there. Knows neither the connection nor the page. */

import { effect, type ReadonlySignal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import { download } from "../browser/download";
import { giveTicket } from "../connection/requests";
import { sessionName } from "../connection/session";
import { lookIn } from "../keep/recipe";
import { reasonOf } from "../languages/reason";
import type { NoteKind } from "../languages/strings";
import { presetIn } from "../looks/fragment";
import type { Look } from "../looks/look";
import type { Looks } from "../looks/looks";
import type { Preset } from "../looks/presets";
import type { Notes } from "../notes";
import type { Params } from "../protocol";

export interface SharingOptions {
  looks: Looks;
  notes: Notes;
  clock: Clock;
  /** Told why the server gives no link. */
  onNoLink: (why: string) => void;
}

export class Sharing {
  readonly #options: SharingOptions;

  constructor(options: SharingOptions) {
    this.#options = options;
  }

  /** Puts the look of a snapshot in force, or appends the presets of an exported file. Returns whether it was either. */
  async open(file: File): Promise<boolean> {
    const { looks, notes } = this.#options;
    const bytes = new Uint8Array(await file.arrayBuffer());
    const look = lookIn(bytes);
    const isTaken = look ? this.#apply(look, "lookRestored") : looks.import(new TextDecoder().decode(bytes));
    if (isTaken && !look) notes.say("presetsImported");
    return isTaken;
  }

  exportPresets(): void {
    download(this.#options.looks.export(), "realtime-presets.json", this.#options.clock);
  }

  /** Copies the address that has a preset in it. */
  async share(preset: Preset): Promise<void> {
    const { looks, notes } = this.#options;
    const address = looks.address(preset);
    try {
      await navigator.clipboard.writeText(address);
      notes.say("addressCopied");
    } catch {
      // Not allowed, or no secure page: then it stands where it can be copied by hand.
      history.replaceState(null, "", address);
      notes.say("addressInBar");
    }
  }

  /** Copies an address that stands on the page. */
  async copy(address: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(address);
      this.#options.notes.say("copied");
    } catch {
      // Not allowed, or no secure page: then it stands where it can be copied by hand.
      prompt("", address);
    }
  }

  /** Copies a link to this session: to only see it, or to control it as well. */
  async shareSession(role: "viewer" | "controller"): Promise<void> {
    const session = sessionName();
    const link = new URL(role === "viewer" ? "overlay" : "remote", document.baseURI);
    try {
      link.search = new URLSearchParams({ session, ticket: await giveTicket(role, session) }).toString();
    } catch (error) {
      return this.#options.onNoLink(reasonOf(error));
    }
    try {
      await navigator.clipboard.writeText(link.href);
      this.#options.notes.say("linkCopied");
    } catch {
      // Not allowed, or no secure page: then it stands where it can be copied by hand.
      prompt("", link.href);
    }
  }

  /**
   * Puts the preset of this page's address in force, now and whenever the address gets another one. Asks first where
   * somebody has chosen a look before.
   * @param params those in force; null until there are any.
   */
  followAddress(params: ReadonlySignal<Params | null>): void {
    const take = () => {
      const preset = presetIn(location.hash);
      const inForce = params.peek();
      if (preset && inForce) this.#takeLinked(preset.look, inForce.version === 0);
    };
    const stop = effect(() => {
      if (params.value === null) return;
      queueMicrotask(() => {
        stop();
        take();
      });
    });
    addEventListener("hashchange", take);
  }

  #takeLinked(look: Look, isFirst: boolean): void {
    const answer = (isYes: boolean) => {
      if (isYes) this.#apply(look, "linkTaken");
      // A reload keeps what came after.
      history.replaceState(null, "", location.href.replace(/#.*$/, ""));
    };
    if (isFirst) answer(true);
    else this.#options.notes.ask("linkOffered", answer);
  }

  /** Puts a look in force that came from elsewhere, with the way back. Returns whether there was something to set. */
  #apply(look: Look, note: NoteKind): boolean {
    const { looks, notes } = this.#options;
    const before = looks.present;
    const isTaken = looks.apply(look);
    if (isTaken) notes.say(note, () => looks.apply(before));
    return isTaken;
  }
}
