/** Joins the parts: sources → sender → connection → player, and params → panel. The page only draws what is here. */

import { computed, signal } from "@preact/signals";
import { browserClock as clock } from "./clock";
import { Connection } from "./connection";
import { download } from "./download";
import { createEncoder } from "./encoder";
import { Meter } from "./meter";
import { moved, seedFrom } from "./numbers";
import { differences, ParamsStore } from "./params";
import { Player } from "./player";
import { Problems } from "./problems";
import type { Frame, Params, Ready, ServerMessage, Stats, Styles, Value } from "./protocol";
import { type Control, controlsFrom, type NumberControl, type Schema } from "./schema";
import { FrameSender } from "./sender";
import { keepSessionName, sessionName } from "./session";
import { Camera } from "./sources/camera";
import { DrawingCanvas } from "./sources/canvas";
import { type Source, SourceError } from "./sources/source";
import type { ProblemKind } from "./strings";
import { dialWebSocket, webSocketUrl } from "./websocket";

export type SourceKind = "camera" | "canvas";

/** `dropped: paused` still on its way when we unfreeze must not freeze us again. */
const PAUSED_IS_OLD_MS = 1000;
const MENTION_MS = 8000;

export class Client {
  readonly problems = new Problems();
  readonly meter = new Meter(clock);
  readonly player = new Player();
  readonly camera = new Camera((problem) => {
    this.problems.report("source", problem);
    this.sourceKind.value = null;
  });
  readonly canvas = new DrawingCanvas();
  readonly params = new ParamsStore({
    clock,
    send: (patch) => this.connection.send({ type: "params", params: patch }),
  });
  readonly connection = new Connection({
    dial: dialWebSocket(() => webSocketUrl(sessionName())),
    clock,
    problems: this.problems,
    random: Math.random,
    isRefused,
    onReady: (ready) => this.#ready(ready),
    onMessage: (message) => this.#receive(message),
    onFrame: (frame) => void this.#show(frame),
  });

  readonly sourceKind = signal<SourceKind | null>(null);
  readonly isFrozen = signal(false);
  readonly model = signal("");
  readonly styles = signal<Styles>({});
  readonly controls = signal<Control[]>([]);
  readonly serverStats = signal<Stats | null>(null);
  /** The params that a restarted server has lost; null where there is nothing to restore. */
  readonly lostParams = signal<Record<string, Value> | null>(null);
  /** Width by height of the pictures. */
  readonly shape = computed(() => {
    const { width, height } = this.params.inForce.value ?? { width: 1, height: 1 };
    return { width, height };
  });

  readonly #sender = new FrameSender({
    clock,
    encode: createEncoder(),
    target: () => (this.connection.isOpen && !this.isFrozen.peek() ? this.params.inForce.peek() : null),
    send: (bytes) => this.connection.sendFrame(bytes),
    onSent: () => this.meter.sent(),
    onError: (error) => this.problems.report("source", "encoding", String(error)),
  });
  #unfrozenAt_ms = -PAUSED_IS_OLD_MS;

  /** Switches the input; the connection stays as it is. */
  async useSource(kind: SourceKind): Promise<void> {
    this.#source(this.sourceKind.peek())?.stop();
    this.problems.clear("source");
    this.sourceKind.value = kind;
    const source = this.#source(kind);
    this.#sender.use(source);
    await this.#trySource(kind, () => source?.start(this.#sender.changed));
  }

  async useCameraDevice(deviceId: string): Promise<void> {
    this.problems.clear("source");
    await this.#trySource("camera", () => this.camera.choose(deviceId));
  }

  setFrozen(isFrozen: boolean): void {
    if (!this.connection.send({ type: "command", command: isFrozen ? "freeze" : "unfreeze" })) return;
    this.isFrozen.value = isFrozen;
    if (isFrozen) return;
    this.#unfrozenAt_ms = clock.now();
    this.#sender.changed();
  }

  newSeed(): void {
    this.params.edit("seed", seedFrom(this.#number("seed") ?? { min: null, max: null }, Math.random()), "sliding");
  }

  /** Moves a number by a share of its range. */
  nudge(field: string, share: number): void {
    const control = this.#number(field);
    const value = this.params.shown.peek()[field];
    if (control && typeof value === "number") this.params.edit(field, moved(control, value, share), "sliding");
  }

  restoreParams(): void {
    for (const [field, value] of Object.entries(this.lostParams.peek() ?? {}))
      this.params.edit(field, value, "sliding");
    this.dismissLostParams();
  }

  dismissLostParams(): void {
    this.lostParams.value = null;
    this.problems.clear("params");
  }

  async saveSnapshot(): Promise<void> {
    const blob = await this.player.snapshot();
    if (!blob) this.#mention("noSnapshot");
    else download(blob, `realtime-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.png`, clock);
  }

  #ready(ready: Ready): void {
    keepSessionName(ready.session);
    this.model.value = ready.model;
    this.styles.value = ready.styles ?? {};
    const before = this.params.inForce.peek();
    const lost = before ? differences(before, ready.params) : {};
    if (Object.keys(lost).length > 0) {
      this.lostParams.value = lost;
      this.problems.report("params", "paramsChanged");
    }
    this.#confirm(ready.params);
    this.params.flush();
    this.#sender.connected(ready.window);
    void this.#loadSchema();
  }

  #receive(message: Exclude<ServerMessage, Ready>): void {
    switch (message.type) {
      case "params":
        this.#confirm(message.params);
        break;
      case "dropped":
        if (message.reason === "paused" && clock.now() - this.#unfrozenAt_ms > PAUSED_IS_OLD_MS)
          this.isFrozen.value = true;
        this.#sender.credit.settle(message.seqs);
        break;
      case "error":
        if (message.seq !== undefined) this.#sender.credit.settle([message.seq]);
        if (message.field !== undefined) this.params.refuse(message.field, message.message);
        else this.#mention(message.seq === undefined ? "commandRefused" : "frameRefused", message.message);
        break;
      case "stats":
        this.serverStats.value = message;
        break;
    }
    void this.#sender.pump();
  }

  #confirm(params: Params): void {
    const isNew = params.version !== this.params.inForce.peek()?.version;
    this.params.confirm(params);
    if (!isNew) return;
    this.canvas.resize(params.width, params.height);
    // A drawing doesn't change by itself: sent once more, it comes back with the new look.
    if (this.sourceKind.peek() === "canvas") this.#sender.changed();
  }

  async #show(frame: Frame): Promise<void> {
    this.#sender.credit.settleUpTo(frame.seq);
    void this.#sender.pump();
    if (!(await this.player.show(frame))) return;
    this.meter.shown(frame);
  }

  /** Something that was refused once: said, and after a while forgotten. */
  #mention(kind: ProblemKind, detail = ""): void {
    this.problems.report("output", kind, detail);
    clock.after(MENTION_MS, () => this.problems.clear("output"));
  }

  async #loadSchema(): Promise<void> {
    try {
      const response = await fetch(new URL("api/params/schema", document.baseURI));
      if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
      this.controls.value = controlsFrom((await response.json()) as Schema);
    } catch (error) {
      this.problems.report("params", "noSchema", String(error));
    }
  }

  async #trySource(kind: SourceKind, begin: () => Promise<void> | undefined): Promise<void> {
    try {
      await begin();
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      if (this.sourceKind.peek() !== kind) return;
      this.problems.report("source", error.kind);
      this.sourceKind.value = null;
    }
  }

  #source(kind: SourceKind | null): Source | null {
    return kind === "camera" ? this.camera : kind === "canvas" ? this.canvas : null;
  }

  #number(name: string): NumberControl | undefined {
    return this.controls.peek().find((control) => control.kind === "number" && control.name === name) as
      NumberControl | undefined;
  }
}

async function isRefused(): Promise<boolean> {
  try {
    const { status } = await fetch(new URL("api/config", document.baseURI));
    return status === 401 || status === 403;
  } catch {
    return false;
  }
}
