/** Joins the parts that talk to the server: sources → senders → connection → player, params. Draws nothing. */

import { computed, signal } from "@preact/signals";
import { socketBeside } from "../browser/beside";
import { browserClock as clock } from "../browser/clock";
import { Records } from "../browser/database";
import { download, fileName } from "../browser/download";
import { flag, kept, oneOf, unkept } from "../browser/kept";
import { shrunk } from "../browser/shrunk";
import { Connection } from "../connection/connection";
import { Dialer } from "../connection/dialer";
import { askWhy, bringPicture, endSession, fetchMaxPixels, fetchPicture, fetchSchema } from "../connection/requests";
import { keepSession, renameSession, sessionName } from "../connection/session";
import { httpSignaling } from "../connection/signaling";
import { isLoopback, type TransportChoice, transportChoices } from "../connection/transport_choice";
import { dialWebRtc } from "../connection/webrtc";
import { dialWebSocket } from "../connection/websocket";
import { strings } from "../languages/strings";
import { usable } from "../looks/no_effect";
import { Pictures } from "../looks/pictures";
import { Notes } from "../notes";
import { Mover } from "../params/mover";
import { differences, ParamsStore } from "../params/params";
import { Refiner } from "../params/refine";
import { controlsFrom, type Schema } from "../params/schema";
import { Settings } from "../params/settings";
import { Problems } from "../problems";
import {
  type Air,
  type Closed,
  Flag,
  type Frame,
  isHeld,
  type Params,
  type Ready,
  type ServerMessage,
  type StateMessage,
  type Value,
} from "../protocol";
import { Meter } from "../receiving/meter";
import { Player } from "../receiving/player";
import { ServerState } from "../receiving/server_state";
import { createEncoder, NoEncoder } from "../sending/encoder";
import { Senders } from "../sending/senders";
import { createTrackCanvas } from "../sending/track_canvas";
import type { DrawingCanvas } from "../sources/canvas";
import { Inputs } from "../sources/inputs";
import { isMended, Mender } from "./mender";

const SCHEMA_RETRY_MS = 5000;
const STEPS = "num_inference_steps";

const keptPictures = new Records<Blob>("realtime-pictures", "pictures");

export class Client {
  readonly problems = new Problems(clock);
  readonly notes = new Notes(clock);
  readonly server = new ServerState(clock);
  readonly meter = new Meter(clock, () => this.connection.measure());
  readonly player = new Player(
    (pictures) => {
      this.meter.played(pictures, this.params.inForce.peek()?.version ?? null);
      tell(this.onOutput, null);
    },
    () => this.shape.peek(),
  );
  readonly inputs = new Inputs({
    problems: this.problems,
    changed: () => {
      if (this.inputs.source?.isStill) this.#mover.changed();
      this.#changed();
    },
    onUse: (source) => {
      this.senders.use(source);
      this.problems.clear("sending");
    },
    onBegun: () => {
      if (this.dialer.wanted !== this.dialer.inUse.peek()) this.connection.redial();
    },
    onCanvas: (canvas) => {
      canvas.pen.onMove = this.#refiner.moved;
      this.#fit(canvas);
    },
  });
  readonly params = new ParamsStore({
    clock,
    send: (params, transition_s) => this.connection.send({ type: "params", params, transition_s }),
  });
  readonly settings = new Settings(this.params);
  /** Most that the server makes of a picture; null before it has said so. */
  readonly maxPixels = signal<number | null>(null);
  /** Those that prompts name. */
  readonly pictures = new Pictures({
    shrink: shrunk,
    send: bringPicture,
    fetch: fetchPicture,
    store: {
      read: (id) => keptPictures.read(id),
      write: (id, picture) => keptPictures.write(id, picture),
      remove: (id) => keptPictures.remove(id),
    },
    onError: (problem, detail) => this.problems.mention(problem, detail),
  });
  readonly abilities = computed(() => ({
    guidance: this.server.guidance.value,
    hasNegativeScale: this.server.hasNegativeScale.value,
    mattes: this.server.mattes.value,
    hasBestSteps: this.params.shown.value[STEPS] === this.server.bestSteps.value,
    hasNets: this.server.nets.value.length > 0,
  }));
  /** Those of the settings that this model can follow. */
  readonly controls = computed(() => usable(this.settings.controls.value, this.abilities.value));
  readonly senders = new Senders({
    clock,
    transport: () => this.dialer.inUse.peek(),
    target: () => (this.connection.isOpen && !this.#isPaused ? this.params.inForce.peek() : null),
    encode: createEncoder(),
    sendFrame: (bytes) => this.connection.sendFrame(bytes),
    createCanvas: createTrackCanvas,
    tellAsIs: (as_is) => void this.connection.send({ type: "video", as_is }),
    onSent: () => {
      this.meter.sent();
      this.problems.clear("sending");
    },
    onError: (error) =>
      this.problems.report("sending", error instanceof NoEncoder ? "encoding" : "grabbing", String(error)),
  });
  readonly dialer = new Dialer({
    clock,
    dials: {
      websocket: dialWebSocket(() => socketBeside({ session: sessionName() })),
      webrtc: dialWebRtc({
        clock,
        signaling: httpSignaling(sessionName),
        stream: () => this.senders.stream,
        createPeer: "RTCPeerConnection" in window ? (configuration) => new RTCPeerConnection(configuration) : null,
        codecs: () => RTCRtpReceiver.getCapabilities("video")?.codecs ?? [],
        onLeave,
      }),
    },
    choice: kept("transport", oneOf(transportChoices), "automatic"),
    isLocal: isLoopback(location.hostname),
    isVideo: () => this.inputs.source?.isStill === false,
    onFallBack: () => this.notes.keep("fellBack"),
  });
  readonly connection = new Connection({
    dial: this.dialer.dial,
    clock,
    problems: this.problems,
    random: Math.random,
    askWhy,
    onReady: (ready) => this.#ready(ready),
    onMessage: (message) => this.#receive(message),
    onFrame: (frame) => void this.#show(frame),
    onVideo: (stream) => this.player.play(stream),
    onEnd: () => {
      this.player.hold();
      // What that server said of its engine is over with it: one state at a time.
      this.problems.clear("engine");
    },
  });

  /** Told what others have made of the session, and whether this page is connected for the first time. */
  onReady: (ready: Ready, isFirst: boolean) => void = () => {};
  /** Told what others have commanded. */
  onState: (state: StateMessage) => void = () => {};
  /** Called when a picture came onto the screen: with its frame, or null where it is one of a video. */
  readonly onOutput = new Set<(frame: Frame | null) => void>();
  /** Called when the source has a new picture. */
  readonly onInput = new Set<() => void>();

  /** Whether nothing is sent while the tab is hidden. */
  readonly pausesHidden = kept("pausesHidden", flag, false);
  /** Whether a drawing gets few steps while the pen moves. */
  readonly refines = kept("refines", flag, false);
  /** Width by height of the pictures. */
  readonly shape = computed(() => {
    const { width, height } = this.params.inForce.value ?? { width: 1, height: 1 };
    return { width, height };
  });

  readonly #refiner = new Refiner({
    clock,
    isWanted: () => this.refines.peek(),
    lend: () => this.params.lend(STEPS, this.settings.number(STEPS)?.min ?? 1),
    giveBack: () => this.params.giveBack(STEPS),
  });
  readonly #mender = new Mender({
    params: this.params,
    bringAgain: (ids) => this.pictures.bringAgain(ids),
    hearsPictures: (field) => this.server.hearsPicturesIn(field),
    nets: () => this.server.nets.peek(),
    say: (note) => this.notes.say(note),
    missing: () => strings.prompt.pictureMissing,
  });
  readonly #mover = new Mover(clock, () => this.#resendStill());
  /** Whether the next session is this one under another name. */
  #isRenamed = false;
  /** The params that a restarted server has lost. */
  #lostParams: Readonly<Record<string, Value>> = {};

  constructor() {
    const isAllKept = computed(() => unkept.value.size === 0);
    isAllKept.subscribe((isKept) => {
      if (isKept) this.problems.clear("storage");
      else this.problems.report("storage", "notKept");
    });
    // The page that comes after this one would take the few steps for the user's own.
    addEventListener("pagehide", this.#refiner.rest);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#changed();
    });
  }

  chooseTransport(choice: TransportChoice): void {
    this.dialer.choose(choice);
    this.notes.dismiss();
    if (this.dialer.wanted !== this.dialer.inUse.peek() || !this.connection.isOpen) this.connection.redial();
  }

  /** Goes on under another name with the same params. Whoever watches the old one sees it end. */
  rename(name: string): void {
    const before = sessionName();
    if (name === before) return;
    renameSession(name, (navigator as Partial<Navigator>).locks);
    this.#isRenamed = true;
    this.connection.redial();
    void endSession(before).catch(() => {});
  }

  setFrozen(isFrozen: boolean): void {
    if (!this.connection.send({ type: "command", command: isFrozen ? "freeze" : "unfreeze" })) return;
    this.server.freeze(isFrozen);
    if (!isFrozen) this.#changed();
  }

  /** Chooses what is seen wherever this session is watched. False where there is no connection. */
  putOnAir(air: Air): boolean {
    return this.connection.send({ type: "command", command: air });
  }

  restoreParams(): void {
    for (const [field, value] of Object.entries(this.#lostParams)) this.params.edit(field, value, "sliding", 0);
    this.dismissLostParams();
  }

  dismissLostParams(): void {
    this.#lostParams = {};
    this.problems.clear("params");
  }

  /** The drawing as it is seen, larger than it is sent. */
  async saveDrawing(): Promise<void> {
    const png = await this.inputs.canvas?.png();
    if (png) this.save(png, "drawing", "png");
  }

  /** Hands a file to the browser's downloads, under a name with the time in it. */
  save(file: Blob, what: string, extension: string): void {
    download(file, fileName(what, extension), clock);
  }

  #ready(ready: Ready): void {
    keepSession(ready.session, ready.ticket);
    this.server.begin(ready);
    this.problems.clear("engine");
    this.problems.clear("safety");
    this.params.heard.value = [];
    const before = this.params.inForce.peek();
    const lost = before ? differences(before, ready.params) : {};
    if (Object.keys(lost).length > 0) {
      this.#lostParams = lost;
      if (!this.#isRenamed) this.problems.report("params", "paramsChanged");
    }
    this.#confirm(ready.params, ready.gliding_s);
    this.params.resend();
    if (this.#isRenamed) this.restoreParams();
    this.#isRenamed = false;
    this.senders.connected(ready.window);
    void this.#loadSettings();
    this.onReady(ready, before === null);
  }

  #receive(message: Exclude<ServerMessage, Ready | Closed>): void {
    this.server.receive(message);
    switch (message.type) {
      case "params":
        this.#confirm(message.params, message.gliding_s);
        break;
      case "status":
        if (message.engine === "ready") this.problems.clear("engine");
        else this.problems.report("engine", "engineAway", `${message.reason}; ~${Math.ceil(message.expected_s)} s`);
        break;
      case "safety":
        if (message.held) this.problems.report("safety", message.code === "unsafe" ? "held" : "unchecked");
        else this.problems.clear("safety");
        break;
      case "model":
        this.params.heard.value = [];
        if (message.changed.length > 0) {
          this.problems.mention("modelTakesLess", message.changed.map((each) => `${each.field}: ${each.message}`).join("; "));
        }
        void this.#loadSettings();
        break;
      case "state":
        if (message.frozen === false) this.#changed();
        this.onState(message);
        break;
      case "heard":
        this.params.heard.value = message.notes;
        break;
      case "dropped":
        this.senders.settle(message.seqs);
        break;
      case "error":
        if (message.seq !== undefined) this.senders.settle([message.seq]);
        if (isMended(message.field)) void this.#mender.refused(message.field, message.message);
        else if (message.field !== undefined) this.params.refuse(message.field, message.message);
        else if (isHeld(message.code)) break; // `safety` has said so, and not for each frame
        else this.problems.mention(message.seq === undefined ? "commandRefused" : "frameRefused", message.message);
        break;
    }
    this.senders.pump();
  }

  #confirm(params: Params, gliding_s = 0): void {
    const isNew = params.version !== this.params.inForce.peek()?.version;
    this.params.confirm(params);
    this.#mover.follow(params, gliding_s);
    if (!isNew) return;
    if (this.inputs.canvas) this.#fit(this.inputs.canvas);
    this.#resendStill();
  }

  /** The drawing is what the params ask for. */
  #fit(canvas: DrawingCanvas): void {
    const params = this.params.inForce.peek();
    if (!params) return;
    canvas.resize(params.width, params.height);
    canvas.sendsPaintOnly = params.matte === "drawn";
  }

  /** A drawing doesn't change by itself: sent once more, it comes back with the new look. */
  #resendStill(): void {
    if (this.inputs.source?.isStill) this.#changed();
  }

  async #show(frame: Frame): Promise<void> {
    this.senders.settleUpTo(frame.seq);
    this.#mover.answered(Boolean(frame.flags & Flag.repeat));
    if (!(await this.player.show(frame))) return;
    this.meter.shown(frame);
    tell(this.onOutput, frame);
  }

  async #loadSettings(): Promise<void> {
    try {
      const [schema, maxPixels] = await Promise.all([fetchSchema(), fetchMaxPixels()]);
      this.settings.controls.value = controlsFrom(schema as Schema);
      this.maxPixels.value = maxPixels;
      this.problems.clear("schema");
    } catch (error) {
      this.problems.report("schema", "noSchema", (error as Error).message);
      clock.after(SCHEMA_RETRY_MS, () => this.connection.isOpen && void this.#loadSettings());
    }
  }

  readonly #changed = (): void => {
    this.senders.changed();
    tell(this.onInput);
  };

  get #isPaused(): boolean {
    return this.server.isFrozen.peek() || (document.hidden && this.pausesHidden.peek());
  }
}

function tell<T extends unknown[]>(listeners: ReadonlySet<(...news: T) => void>, ...news: T): void {
  for (const listener of listeners) listener(...news);
}

function onLeave(action: () => void): () => void {
  addEventListener("pagehide", action);
  return () => removeEventListener("pagehide", action);
}
