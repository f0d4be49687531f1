/** Joins the client with what is done here with its pictures and settings. The page draws from it. */

import { computed, effect, signal } from "@preact/signals";
import { keepAwake } from "../browser/awake";
import { browserClock } from "../browser/clock";
import { download } from "../browser/download";
import { dialWebSocket, webSocketUrl } from "../connection/websocket";
import { Keep } from "../keep/keep";
import { lookIn } from "../keep/recipe";
import { Recorder } from "../keep/recorder";
import { type NoteKind, strings } from "../languages/strings";
import { presetIn } from "../looks/fragment";
import { lookOf } from "../looks/look";
import { Looks } from "../looks/looks";
import { overwritten, type Preset, type Presets, removed } from "../looks/presets";
import { previewStrengths } from "../looks/preview";
import type { ShowPanel } from "../page/show/show_panel";
import { OutputWindow } from "../program/output_window";
import { PictureInPicture } from "../program/picture_in_picture";
import { Program } from "../program/program";
import type { Frame } from "../protocol";
import { type LatencySample, withSample } from "../receiving/latency";
import { drawFitted } from "../sources/crop";
import type { Picture } from "../sources/source";
import type { Show } from "../vj/show";
import type { Client } from "./client";
import { bindKeys } from "./keys";
import type { View } from "./view";

export class Studio {
  readonly client: Client;
  readonly looks: Looks;
  readonly keep: Keep;
  readonly recorder: Recorder;
  readonly view: View;
  readonly program: Program;
  readonly window: OutputWindow;
  readonly pictureInPicture: PictureInPicture;
  /** The last minute of measurements. */
  readonly latencies = signal<readonly LatencySample[]>([]);
  /** The show and its controls, which are loaded when they are first wanted: most people never play one. */
  readonly show = signal<{ show: Show; Panel: typeof ShowPanel } | null>(null);
  /** What the page shows in the output's place while something else is on air. */
  readonly cut = document.createElement("canvas");

  constructor(client: Client, view: View) {
    this.client = client;
    this.view = view;
    this.looks = new Looks({
      params: () => client.params.inForce.peek(),
      shown: () => client.params.shown.peek(),
      edit: (field, value, pace) => client.params.edit(field, value, pace),
      unnamed: () => strings.presets.unnamed,
    });
    this.program = new Program({
      layers: () => view.layers.peek(),
      input: () => client.inputs.picture(),
      output: () => client.player.picture(),
      size: () => client.shape.peek(),
    });
    this.window = new OutputWindow({
      program: this.program,
      ratio: () => client.shape.peek().width / client.shape.peek().height,
      title: () => `${strings.name}: ${strings.panes.output}`,
      bindKeys: (there) => bindKeys(this, there),
    });
    this.keep = new Keep(client, browserClock);
    this.recorder = new Recorder({
      program: this.program,
      clock: browserClock,
      save: (video, extension) => this.keep.save(video, extension),
      onError: (error) => client.mention("recordingFailed", error),
    });
    this.pictureInPicture = new PictureInPicture(this.program);
    this.#takeFromAddress();
    if (view.usesMidi.peek()) void this.openShow();
    this.#keepAwake();
    view.air.subscribe((air) => client.putOnAir(air));
    client.onReady = (air, isFirst) => {
      if (isFirst && air !== "on_air") view.follow(air);
      else if (air !== view.air.peek()) client.putOnAir(view.air.peek());
    };
    client.onInput.add(() => this.program.changed("input"));
    client.onOutput.add(() => this.program.changed("output"));
    client.serverStats.subscribe((stats) => {
      if (!stats) return;
      this.latencies.value = withSample(this.latencies.peek(), browserClock.now(), stats, client.meter.now.peek());
    });
    effect(() => {
      view.layers.value;
      client.shape.value;
      this.program.changed("mix");
    });
    effect(() => {
      if (view.isCut.value) return this.program.add({ canvas: this.cut });
      return undefined;
    });
  }

  /** Whatever runs by itself keeps the screen on; a hand that draws does so anyway. */
  #keepAwake(): void {
    const isVisible = signal(!document.hidden);
    document.addEventListener("visibilitychange", () => (isVisible.value = !document.hidden));
    const isWanted = computed(() => {
      const kind = this.client.inputs.kind.value;
      const isRunning = kind === "camera" || kind === "screen" || kind === "file";
      return isRunning || this.recorder.progress.value !== null || this.window.isOpen.value;
    });
    keepAwake(isWanted, isVisible, async () => navigator.wakeLock.request("screen"));
  }

  openWindow(): void {
    if (this.window.isOpen.peek()) this.window.close();
    else if (!this.window.open()) this.client.mention("windowRefused");
  }

  async togglePictureInPicture(): Promise<void> {
    if (!(await this.pictureInPicture.toggle())) this.client.mention("pictureInPictureRefused");
  }

  toggleRecording(): void {
    const type = this.recorder.types[0];
    if (this.recorder.progress.peek()) this.recorder.stop();
    else if (type) this.recorder.start(type, this.view.recordsBoth.peek());
  }

  newSeed(): void {
    if (this.looks.isSeedLocked.peek()) this.client.mention("seedLocked");
    else this.client.newSeed();
  }

  /** A file that was dropped or pasted: our own have a look or presets in them, others are pictures to restyle. */
  async take(file: File): Promise<void> {
    const isOwn = file.type === "image/png" || file.name.endsWith(".json");
    if (!isOwn || !(await this.#restore(file))) await this.client.inputs.open(file);
  }

  /** A file that was chosen for its look or its presets. */
  async open(file: File): Promise<void> {
    if (!(await this.#restore(file))) this.client.mention("noLook");
  }

  async #restore(file: File): Promise<boolean> {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const look = lookIn(bytes);
    const isTaken = look ? this.looks.apply(look) : this.looks.import(new TextDecoder().decode(bytes));
    if (isTaken) this.client.say(look ? "lookRestored" : "presetsImported");
    return isTaken;
  }

  /** Has this moment's picture made at several strengths. */
  async preview(onPicture: (index: number, frame: Frame) => void): Promise<void> {
    const { client } = this;
    const [picture, params] = [client.inputs.picture(), client.params.inForce.peek()];
    if (!picture || !params) {
      client.mention("noPreview");
      return;
    }
    try {
      await previewStrengths({
        // Without a name: the server gives the session one of its own.
        dial: dialWebSocket(() => webSocketUrl("")),
        after: (ms, action) => browserClock.after(ms, action),
        jpeg: await jpegOf(picture, params.width, params.height),
        params: { ...lookOf(params), width: params.width, height: params.height },
        onPicture,
        onOver: (session) => void fetch(new URL(`api/sessions/${session}`, document.baseURI), { method: "DELETE" }),
      });
    } catch (error) {
      client.mention("previewFailed", (error as Error).message);
    }
  }

  async openShow(): Promise<Show> {
    const opened = this.show.peek();
    if (opened) return opened.show;
    const [{ Show: Playing }, { ShowPanel: Panel }] = await Promise.all([
      import("../vj/show"),
      import("../page/show/show_panel"),
    ]);
    this.show.value ??= { show: new Playing(this), Panel };
    return this.show.value.show;
  }

  async tap(): Promise<void> {
    (await this.openShow()).tap();
  }

  async nextCue(): Promise<void> {
    (await this.openShow()).nextCue();
  }

  removePreset(index: number): void {
    this.#changePresets("presetRemoved", (presets) => removed(presets, index));
  }

  overwritePreset(index: number): void {
    this.#changePresets("presetOverwritten", (presets) => overwritten(presets, index, this.looks.present));
  }

  /** In a way that can be taken back: one wrong key on a stage shouldn't cost a look. */
  #changePresets(note: NoteKind, change: (presets: Presets) => Presets): void {
    const { presets } = this.looks;
    const before = presets.peek();
    presets.value = change(before);
    this.client.say(note, () => (presets.value = before));
  }

  exportPresets(): void {
    download(this.looks.export(), "realtime-presets.json", browserClock);
  }

  /** Copies the address that has a preset in it. */
  async share(preset: Preset): Promise<void> {
    const address = this.looks.address(preset);
    try {
      await navigator.clipboard.writeText(address);
      this.client.say("addressCopied");
    } catch {
      // Not allowed, or no secure page: then it stands where it can be copied by hand.
      history.replaceState(null, "", address);
      this.client.say("addressInBar");
    }
  }

  /** A preset in the address is taken once there are params to set, and then no more: a reload keeps what came after. */
  #takeFromAddress(): void {
    const preset = presetIn(location.hash);
    if (!preset) return;
    const stop = effect(() => {
      if (this.client.params.inForce.value === null) return;
      queueMicrotask(() => {
        stop();
        this.looks.apply(preset.look);
        history.replaceState(null, "", location.href.replace(/#.*$/, ""));
      });
    });
  }
}

async function jpegOf(picture: Picture, width: number, height: number): Promise<Uint8Array> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("this browser has no 2D canvas");
  drawFitted(context, picture);
  return new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
}
