/** Joins the client with what this page does with its pictures and settings. Draws nothing: the page does. */

import { computed, effect, signal } from "@preact/signals";
import { keepAwake } from "../browser/awake";
import { browserClock } from "../browser/clock";
import { endSession } from "../connection/requests";
import { dialWebSocket, webSocketUrl } from "../connection/websocket";
import { Keep } from "../keep/keep";
import { Recorder } from "../keep/recorder";
import { strings } from "../languages/strings";
import { lookOf } from "../looks/look";
import { Looks } from "../looks/looks";
import { previewStrengths } from "../looks/preview";
import { OutputWindow } from "../program/output_window";
import { PictureInPicture } from "../program/picture_in_picture";
import { Program } from "../program/program";
import type { Frame } from "../protocol";
import { type LatencySample, withSample } from "../receiving/latency";
import type { DrawingCanvas } from "../sources/canvas";
import { fittedJpeg } from "../sources/crop";
import type { Show } from "../vj/show";
import type { PageAction } from "../vj/targets";
import type { Client } from "./client";
import { bindKeys, type KeyAction } from "./keys";
import { Sharing } from "./sharing";
import type { View } from "./view";

const STRENGTH_SHARE = 0.05;

export class Studio {
  readonly client: Client;
  readonly looks: Looks;
  readonly sharing: Sharing;
  readonly keep: Keep;
  readonly recorder: Recorder;
  readonly view: View;
  readonly program: Program;
  readonly window: OutputWindow;
  readonly pictureInPicture: PictureInPicture;
  /** The last minute of measurements. */
  readonly latencies = signal<readonly LatencySample[]>([]);
  /** The show, which is loaded when it is first wanted: most people never play one. */
  readonly show = signal<Show | null>(null);
  /** Shown in the output's place while something else is on air. */
  readonly cut = document.createElement("canvas");

  /** What keys, buttons and controllers make the page do, by name. */
  readonly actions: Readonly<Record<KeyAction | PageAction, () => void>> = {
    freeze: () => this.client.setFrozen(!this.client.server.isFrozen.peek()),
    bypass: () => toggle(this.view.isBypassed),
    panic: () => toggle(this.view.isPanicked),
    snapshot: () => void this.keep.saveSnapshot(),
    record: () => this.#toggleRecording(),
    rewind: () => this.keep.toggleRewind(),
    layout: () => this.view.nextLayout(),
    seed: () => this.#newSeed(),
    tap: () => void this.openShow().then((show) => show.tap()),
    nextCue: () => void this.openShow().then((show) => show.nextCue()),
    fullscreen: () => this.view.toggleFullscreen(),
    measurements: () => toggle(this.view.showsHud),
    window: () => this.#toggleWindow(),
    help: () => this.view.toggleDialog("help"),
    lessStrength: () => this.client.settings.nudge("strength", -STRENGTH_SHARE),
    moreStrength: () => this.client.settings.nudge("strength", STRENGTH_SHARE),
    lessOutput: () => this.view.mixBy(-1),
    moreOutput: () => this.view.mixBy(1),
  };

  readonly callPreset = (index: number): void => this.looks.call(index);

  constructor(client: Client, view: View) {
    this.client = client;
    this.view = view;
    this.looks = new Looks({
      params: () => client.params.inForce.peek(),
      shown: () => client.params.shown.peek(),
      edit: client.params.edit,
      unnamed: () => strings.presets.unnamed,
      say: (note, undo) => client.notes.say(note, undo),
    });
    this.sharing = new Sharing({ looks: this.looks, notes: client.notes, clock: browserClock });
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
    this.keep = new Keep({
      clock: browserClock,
      player: client.player,
      model: () => client.server.model.peek(),
      shownParams: () => client.params.ofVersion(client.meter.paramsVersion.peek()),
      ofVersion: (version) => client.params.ofVersion(version),
      onNothing: (problem) => client.problems.mention(problem),
    });
    this.recorder = new Recorder({
      program: this.program,
      clock: browserClock,
      save: (video, extension) => this.keep.save(video, extension),
      onError: (error) => client.problems.mention("recordingFailed", error),
    });
    this.pictureInPicture = new PictureInPicture(this.program);
    this.sharing.followAddress(client.params.inForce);
    if (view.usesMidi.peek()) void this.openShow();
    this.#keepAwake();
    this.#followAir();
    this.#followPictures();
  }

  /** The drawing; null while something else is the input. */
  get drawing(): DrawingCanvas | null {
    const { kind, canvas } = this.client.inputs;
    return kind.peek() === "canvas" ? canvas : null;
  }

  async togglePictureInPicture(): Promise<void> {
    if (!(await this.pictureInPicture.toggle())) this.client.problems.mention("pictureInPictureRefused");
  }

  /** A file that was dropped or pasted: our own have a look or presets in them, others are pictures to restyle. */
  async take(file: File): Promise<void> {
    const isOwn = file.type === "image/png" || file.name.endsWith(".json");
    if (!isOwn || !(await this.sharing.open(file))) await this.client.inputs.open(file);
  }

  /** A file that was chosen for its look or its presets. */
  async open(file: File): Promise<void> {
    if (!(await this.sharing.open(file))) this.client.problems.mention("noLook");
  }

  /** Has this moment's picture made at several strengths. */
  async preview(onPicture: (index: number, frame: Frame) => void): Promise<void> {
    const { inputs, params, problems } = this.client;
    const [picture, inForce] = [inputs.picture(), params.inForce.peek()];
    if (!picture || !inForce) {
      problems.mention("noPreview");
      return;
    }
    const { width, height } = inForce;
    try {
      await previewStrengths({
        // Without a name: the server gives the session one of its own.
        dial: dialWebSocket(() => webSocketUrl("")),
        after: (ms, action) => browserClock.after(ms, action),
        jpeg: await fittedJpeg(picture, width, height),
        params: { ...lookOf(inForce), width, height },
        onPicture,
        onOver: (session) => void endSession(session),
      });
    } catch (error) {
      problems.mention("previewFailed", (error as Error).message);
    }
  }

  async openShow(): Promise<Show> {
    const { Show: Playing } = await import("../vj/show");
    this.show.value ??= new Playing({
      clock: browserClock,
      controls: this.client.settings.controls,
      presets: this.looks.presets,
      shown: this.client.params.shown,
      edit: this.client.params.edit,
      mix: (amount) => (this.view.amount.value = amount),
      callPreset: this.callPreset,
      actions: this.actions,
      usesMidi: this.view.usesMidi,
    });
    return this.show.value;
  }

  #toggleWindow(): void {
    if (this.window.isOpen.peek()) this.window.close();
    else if (!this.window.open()) this.client.problems.mention("windowRefused");
  }

  #toggleRecording(): void {
    const type = this.recorder.types[0];
    if (this.recorder.progress.peek()) this.recorder.stop();
    else if (type) this.recorder.start(type, this.view.recordsBoth.peek());
  }

  #newSeed(): void {
    if (this.looks.isSeedLocked.peek()) this.client.problems.mention("seedLocked");
    else this.client.settings.newSeed(Math.random());
  }

  /** Keeps the screen on while a source, a recording or the output window runs. Drawing keeps it on anyway. */
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

  /** Tells the server of this page's cuts; a page that comes back takes over what is on air. */
  #followAir(): void {
    const { client, view } = this;
    view.air.subscribe((air) => client.putOnAir(air));
    client.onReady = (air, isFirst) => {
      if (isFirst && air !== "on_air") view.follow(air);
      else if (air !== view.air.peek()) client.putOnAir(view.air.peek());
    };
  }

  /** Each new picture, mix and measurement goes to those that draw and keep it. */
  #followPictures(): void {
    const { client, view, program } = this;
    client.onInput.add(() => program.changed("input"));
    client.onOutput.add((frame) => this.keep.add(frame));
    client.onOutput.add(() => program.changed("output"));
    client.server.stats.subscribe((stats) => {
      if (!stats) return;
      this.latencies.value = withSample(this.latencies.peek(), browserClock.now(), stats, client.meter.now.peek());
    });
    effect(() => {
      view.layers.value;
      client.shape.value;
      program.changed("mix");
    });
    effect(() => (view.isCut.value ? program.add({ canvas: this.cut }) : undefined));
  }
}

function toggle(flag: { value: boolean; peek(): boolean }): void {
  flag.value = !flag.peek();
}
