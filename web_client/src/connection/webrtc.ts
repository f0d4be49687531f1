/** The WebRTC transport: one video track each way, messages over a data channel. Decides only when it is lost. */

import type { Clock } from "../browser/clock";
import { CloseCode, parseMessage, ProtocolError } from "../protocol";
import { offered, withStartBitrate } from "./codecs";
import { type Dial, OwnCode, type Transport, type TransportEvents } from "./connection";
import { type LinkMeasurements, LinkReader, type Report } from "./link";
import { iceCredentials, sdpFragment } from "./sdpfrag";
import { type Answer, type Signaling, SignalingError } from "./signaling";
import { Trickle } from "./trickle";

export interface WebRtcOptions {
  clock: Clock;
  signaling: Signaling;
  /** The one track that is sent. It may have no picture yet, and pictures of any size later. */
  stream: () => MediaStream;
  /** null where this browser has none. */
  createPeer: ((configuration: RTCConfiguration) => RTCPeerConnection) | null;
  /** The video codecs of this browser, its favourites first. */
  codecs: () => RTCRtpCodec[];
  /** Calls `action` when the page goes away; the returned function calls it off. */
  onLeave: (action: () => void) => () => void;
}

export const LABEL = "control";
/** From the answer to an open data channel; on a good line it takes a quarter of a second. */
const CONNECT_MS = 4_000;
/** A path that broke is often there again, or another one is, within this time. */
const GRACE_MS = 5_000;
/** As the server sends; left alone, browsers stop at about 2 Mbit/s for pictures of this size. */
const MAX_BITRATE = 8_000_000;

export function dialWebRtc(options: WebRtcOptions): Dial {
  return (events) => new WebRtcTransport(options, events);
}

class WebRtcTransport implements Transport {
  readonly #options: WebRtcOptions;
  readonly #events: TransportEvents;
  readonly #trickle: Trickle;
  readonly #link = new LinkReader();
  #peer: RTCPeerConnection | null = null;
  #channel: RTCDataChannel | null = null;
  #answer: Answer | null = null;
  #isOver = false;
  #callOff: () => void = () => {};
  readonly #stayOnLeave: () => void;

  constructor(options: WebRtcOptions, events: TransportEvents) {
    this.#options = options;
    this.#events = events;
    this.#trickle = new Trickle(options.clock);
    // A page that is kept in memory and comes back finds its connection lost, and dials again.
    this.#stayOnLeave = options.onLeave(() => this.#end(OwnCode.lost, ""));
    this.#connect().catch((error: unknown) => {
      if (error instanceof SignalingError) this.#end(error.code, error.message);
      else this.#end(OwnCode.unconnected, String(error));
    });
  }

  send(message: object): void {
    // A channel that closes says so a moment later; until then there is nobody to send to.
    if (this.#channel?.readyState === "open") this.#channel.send(JSON.stringify(message));
  }

  async measure(): Promise<LinkMeasurements> {
    const reports = (await this.#peer?.getStats()) as ReadonlyMap<string, Report> | undefined;
    return this.#link.read(reports ?? new Map());
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#callOff();
    this.#stayOnLeave();
    this.#trickle.stop();
    this.#answer?.end();
    this.#peer?.close();
  }

  /** The end came from elsewhere: tidy up, and say so. */
  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.close();
    this.#events.closed(code, reason);
  }

  async #connect(): Promise<void> {
    const { signaling, clock, createPeer } = this.#options;
    const { ice_servers, webrtc = true } = await signaling.config();
    if (!webrtc || !createPeer) throw new SignalingError(OwnCode.unavailable, "");
    if (this.#isOver) return;
    const peer = createPeer({ iceServers: ice_servers, bundlePolicy: "max-bundle" });
    const transceiver = this.#prepare(peer);
    await peer.setLocalDescription();
    const offer = peer.localDescription?.sdp ?? "";
    // Sent at once: the answer has the server's candidates, and ours follow.
    const answer = await signaling.offer(offer);
    if (this.#isOver) {
      answer.end();
      return;
    }
    this.#answer = answer;
    this.#callOff = clock.after(CONNECT_MS, () => this.#end(OwnCode.unconnected, ""));
    const credentials = iceCredentials(offer);
    const mid = transceiver.mid ?? "0";
    if (credentials)
      this.#trickle.open((candidates, isLast) => answer.trickle(sdpFragment(credentials, mid, candidates, isLast)));
    await peer.setRemoteDescription({ type: "answer", sdp: withStartBitrate(answer.sdp) });
  }

  /** Gives the peer its channel and its one transceiver: then it can make an offer. */
  #prepare(peer: RTCPeerConnection): RTCRtpTransceiver {
    const { codecs, stream } = this.#options;
    this.#peer = peer;
    peer.onicecandidate = ({ candidate }) => {
      // Firefox ends each section's candidates with an empty one, and all of them with null as the others do.
      if (candidate?.candidate !== "") this.#trickle.add(candidate?.candidate ?? null);
    };
    peer.onconnectionstatechange = () => this.#follow(peer.connectionState);
    peer.ontrack = ({ track: received, streams }) => this.#events.video(streams[0] ?? new MediaStream([received]));
    this.#channel = this.#openChannel(peer);
    const outbound = stream();
    const transceiver = peer.addTransceiver(outbound.getVideoTracks()[0] ?? "video", {
      direction: "sendrecv",
      streams: [outbound],
      sendEncodings: [{ maxBitrate: MAX_BITRATE }],
    });
    transceiver.setCodecPreferences(offered(codecs()));
    showAtOnce(transceiver.receiver);
    keepResolution(transceiver.sender);
    return transceiver;
  }

  #openChannel(peer: RTCPeerConnection): RTCDataChannel {
    const channel = peer.createDataChannel(LABEL);
    channel.onopen = () => this.#callOff();
    channel.onclose = () => this.#end(OwnCode.lost, "");
    channel.onmessage = (event: MessageEvent<string>) => {
      try {
        const message = parseMessage(event.data);
        if (message) this.#events.message(message);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#end(CloseCode.protocol, error.message);
      }
    };
    return channel;
  }

  #follow(state: RTCPeerConnectionState): void {
    // Until the channel is open the time to connect runs, whatever the state.
    if (this.#channel?.readyState !== "open") return;
    this.#callOff();
    if (state === "disconnected" || state === "failed")
      this.#callOff = this.#options.clock.after(GRACE_MS, () => this.#end(OwnCode.lost, ""));
    else if (state === "closed") this.#end(OwnCode.lost, "");
  }
}

/** Pictures are shown as they come, not held back for evenness; the second name is Chromium's older one. */
function showAtOnce(receiver: RTCRtpReceiver & { playoutDelayHint?: number }): void {
  receiver.jitterBufferTarget = 0;
  receiver.playoutDelayHint = 0;
}

/** Sends fewer pictures where bandwidth is short, not smaller ones: those would be restyled as small ones. */
function keepResolution(sender: RTCRtpSender): void {
  const parameters = sender.getParameters() as RTCRtpSendParameters & { degradationPreference?: string };
  parameters.degradationPreference = "maintain-resolution";
  // Browsers that don't know it go by the track's contentHint.
  sender.setParameters(parameters).catch(() => {});
}
