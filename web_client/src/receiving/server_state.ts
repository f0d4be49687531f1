/** The server's model, measurements and freeze as it reports them. Knows neither the connection nor pictures. */

import { signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import type { AboutModel, Closed, ControlNet, Governor, Guidance, Params, Ready, ServerMessage, Stats, Styles } from "../protocol";

/** News of paused frames still on its way when we unfreeze must not freeze us again; `stats` come once a second. */
const PAUSED_IS_OLD_MS = 2000;

export class ServerState {
  readonly model = signal("");
  readonly styles = signal<Styles>({});
  /** How the model hears guidance; null where the server doesn't say. */
  readonly guidance = signal<Guidance | null>(null);
  /** The values of `matte` that act; null where the server doesn't say. */
  readonly mattes = signal<readonly string[] | null>(null);
  /** Whether the negative prompt acts by a scale of its own. */
  readonly hasNegativeScale = signal(false);
  /** What of a reference may be taken; none where the model hears no references. */
  readonly referenceLayers = signal<readonly string[]>([]);
  /** Whether a prompt may have pictures in it. */
  readonly hearsPictures = signal(false);
  /** The nets that may steer the picture. */
  readonly nets = signal<readonly ControlNet[]>([]);
  /** The number of steps beside which others look worse; null where more are finer. */
  readonly bestSteps = signal<number | null>(null);
  /** What the server chose to keep to a target; null where it governs nothing. */
  readonly governor = signal<Governor | null>(null);
  readonly stats = signal<Stats | null>(null);
  /** Whether the server drops what is sent until it is told to go on. */
  readonly isFrozen = signal(false);

  readonly #clock: Clock;
  #unfrozenAt_ms = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** There is a new connection, or another model. */
  begin(about: AboutModel): void {
    this.model.value = about.model;
    this.styles.value = about.styles ?? {};
    this.guidance.value = about.guidance ?? null;
    this.mattes.value = about.mattes ?? null;
    this.hasNegativeScale.value = about.negative_scale ?? false;
    this.referenceLayers.value = about.references ?? [];
    this.hearsPictures.value = about.pictures ?? false;
    this.nets.value = about.controls ?? [];
    this.bestSteps.value = about.best_steps ?? null;
    this.governor.value = null;
  }

  receive(message: Exclude<ServerMessage, Ready | Closed>): void {
    switch (message.type) {
      case "model":
        this.begin(message);
        break;
      case "params":
        if (!hasTarget(message.params)) this.governor.value = null;
        break;
      case "dropped":
        if (message.reason === "paused") this.#noticePause();
        break;
      case "state":
        if (message.frozen !== undefined) this.freeze(message.frozen);
        break;
      case "governor":
        this.governor.value = message;
        break;
      case "stats":
        // Where no `dropped` come, only the count tells that the session was frozen before this page was there.
        if (pausedIn(message) > pausedIn(this.stats.peek() ?? message)) this.#noticePause();
        this.stats.value = message;
        if (message.governor) this.governor.value = message.governor;
        break;
    }
  }

  /** Whether that field of the params may name pictures. */
  hearsPicturesIn(field: "prompt" | "references"): boolean {
    return field === "prompt" ? this.hearsPictures.value : this.referenceLayers.value.length > 0;
  }

  /** Whether pictures may be brought to it. */
  get takesPictures(): boolean {
    return this.hearsPicturesIn("prompt") || this.hearsPicturesIn("references");
  }

  /** The server was told to freeze, or to go on. */
  freeze(isFrozen: boolean): void {
    this.isFrozen.value = isFrozen;
    if (!isFrozen) this.#unfrozenAt_ms = this.#clock.now();
  }

  #noticePause(): void {
    if (this.#clock.now() - this.#unfrozenAt_ms > PAUSED_IS_OLD_MS) this.isFrozen.value = true;
  }
}

function hasTarget({ latency_ms = null, min_fps = null }: Params): boolean {
  return latency_ms !== null || min_fps !== null;
}

function pausedIn({ dropped }: Stats): number {
  return dropped.paused ?? 0;
}
