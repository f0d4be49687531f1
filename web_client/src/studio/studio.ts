/** Joins the client with what this page does with its pictures and settings. Draws nothing: the page does. */

import { computed, effect, signal } from "@preact/signals";
import { keepAwake } from "../browser/awake";
import { browserClock } from "../browser/clock";
import { thumbnail } from "../browser/thumbnail";
import { Keep } from "../keep/keep";
import { Recorder } from "../keep/recorder";
import { strings } from "../languages/strings";
import { likePicture, seenText } from "../looks/blend";
import { Looks } from "../looks/looks";
import { referencesOf, toggled } from "../looks/references";
import { setStyle } from "../params/styles";
import { OutputWindow } from "../program/output_window";
import { PictureInPicture } from "../program/picture_in_picture";
import { Program } from "../program/program";
import { type LatencySample, withSample } from "../receiving/latency";
import type { DrawingCanvas } from "../sources/canvas";
import type { Show } from "../vj/show";
import type { PageAction } from "../vj/targets";
import type { Client } from "./client";
import { bindKeys, type KeyAction } from "./keys";
import { Mixer } from "./mixer";
import { followOthers } from "./others";
import { Previews } from "./previews";
import { Sharing } from "./sharing";
import { Sizing } from "./sizing";
import type { View } from "./view";

const STRENGTH_SHARE = 0.05;

export class Studio {
  readonly client: Client;
  readonly looks: Looks;
  readonly sharing: Sharing;
  readonly sizing: Sizing;
  readonly keep: Keep;
  readonly recorder: Recorder;
  readonly view: View;
  readonly program: Program;
  readonly previews: Previews;
  readonly window: OutputWindow;
  readonly pictureInPicture: PictureInPicture;
  /** The last minute of measurements. */
  readonly latencies = signal<readonly LatencySample[]>([]);
  /** The show, which is loaded when it is first wanted: most people never play one. */
  readonly show = signal<Show | null>(null);
  readonly mixer: Mixer;
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
    swap: () => this.#swap(),
    seed: () => this.#newSeed(),
    tap: () => void this.openShow().then((show) => show.tap()),
    saveLook: () => this.looks.save(),
    nextCue: () => void this.openShow().then((show) => show.nextCue()),
    fullscreen: () => this.view.toggleFullscreen(),
    measurements: () => toggle(this.view.showsHud),
    window: () => this.#toggleWindow(),
    help: () => this.view.toggleDialog("help"),
    decks: () => toggle(this.view.showsDecks),
    cut: () => this.mixer.cut(),
    fade: () => this.mixer.fade(),
    towardsA: () => this.mixer.step(-1),
    towardsB: () => this.mixer.step(1),
    lessStrength: () => this.client.settings.nudge("strength", -STRENGTH_SHARE),
    moreStrength: () => this.client.settings.nudge("strength", STRENGTH_SHARE),
    lessOutput: () => this.view.mixBy(-1),
    moreOutput: () => this.view.mixBy(1),
  };

  readonly callClip = (index: number): void => this.mixer.callClip(index);

  readonly callPreset = (index: number, transition_s?: number): void => this.looks.call(index, transition_s);

  constructor(client: Client, view: View) {
    this.client = client;
    this.view = view;
    this.looks = new Looks({
      params: () => client.params.inForce.peek(),
      shown: () => client.params.shown.peek(),
      edit: client.params.edit,
      picture: () => this.#thumbnail(),
      unnamed: () => strings.presets.unnamed,
      say: (note, undo) => client.notes.say(note, undo),
    });
    this.sharing = new Sharing({
      looks: this.looks,
      notes: client.notes,
      clock: browserClock,
      onNoLink: (why) => client.problems.mention("noLink", why),
    });
    this.sizing = new Sizing(client);
    this.mixer = new Mixer(client);
    this.previews = new Previews(client);
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
    this.#showNewPads();
    followOthers({ client, view, looks: this.looks, mixer: this.mixer, openShow: () => this.openShow() });
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

  /** Brings a picture to the server, and has its style in force. */
  async styleAfter(file: File): Promise<void> {
    const id = await this.client.pictures.bring(file);
    const isOne = referencesOf(this.client.params.shown.peek().references).some(({ picture }) => picture === id);
    if (id !== null && !isOne) this.styleLike(id);
  }

  /** Puts the style of a picture that was brought in force, with the way back. */
  styleLike(id: string): void {
    const { params, server, notes } = this.client;
    if (!server.hearsPicturesIn("prompt")) {
      const references = referencesOf(params.shown.peek().references);
      return params.edit("references", toggled(references, id), "sliding");
    }
    const before = params.shown.peek().prompt ?? "";
    const rest = setStyle(seenText(before), { name: "", prompt: "" }, server.styles.peek().styles ?? []);
    params.edit("prompt", likePicture(before, id, rest), "sliding");
    notes.say("styleTaken", () => params.edit("prompt", before, "sliding"));
  }

  /** The result as it is seen. */
  #thumbnail(): string | undefined {
    const picture = this.client.player.picture();
    return picture ? thumbnail(picture.image, picture.width, picture.height) : undefined;
  }

  async openShow(): Promise<Show> {
    const { Show: Playing } = await import("../vj/show");
    this.show.value ??= new Playing({
      clock: browserClock,
      controls: this.client.controls,
      presets: this.looks.presets,
      shown: this.client.params.shown,
      edit: this.client.params.edit,
      toggle: (one) => this.client.settings.toggle(one),
      mix: (amount) => (this.view.amount.value = amount),
      crossfade: (amount) => this.mixer.set(amount),
      callClip: this.callClip,
      callPreset: this.callPreset,
      actions: this.actions,
      newSeed: (transition_s) => this.#newSeed(transition_s),
      apply: (look, transition_s) => this.looks.apply(look, transition_s),
      present: () => {
        const picture = this.#thumbnail();
        return { look: this.looks.present, ...(picture && { picture }) };
      },
      onTempo: (tempo) => this.client.connection.send({ type: "command", command: "tempo", ...tempo }),
      usesMidi: this.view.usesMidi,
    });
    return this.show.value;
  }

  /** The input takes the output's place on the stage, and the other way round. */
  #swap(): void {
    if (this.view.layout.peek() === "inset") toggle(this.view.inset.isSwapped(this.client.inputs.kind.peek()));
    else this.view.layout.value = "inset";
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

  #newSeed(transition_s?: number): void {
    if (this.looks.isSeedLocked.peek()) this.client.problems.mention("seedLocked");
    else this.client.settings.newSeed(Math.random(), transition_s);
  }

  /** Keeps the screen on while a source, a recording or the output window runs. Drawing keeps it on anyway. */
  #keepAwake(): void {
    const isVisible = signal(!document.hidden);
    document.addEventListener("visibilitychange", () => (isVisible.value = !document.hidden));
    const isWanted = computed(() => {
      const kind = this.client.inputs.kind.value;
      const isRunning = kind === "camera" || kind === "screen" || kind === "file";
      return isRunning || this.client.inputs.mixed.value !== null || this.recorder.progress.value !== null || this.window.isOpen.value;
    });
    keepAwake(isWanted, isVisible, async () => navigator.wakeLock.request("screen"));
  }

  /** Who saves or brings a preset wants to see where it is. */
  #showNewPads(): void {
    let before = this.looks.presets.peek().length;
    this.looks.presets.subscribe(({ length }) => {
      if (length > before) this.view.showsPads.value = true;
      before = length;
    });
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
