import { beforeEach, describe, expect, test } from "vitest";
import { OwnCode, type Transport } from "../../src/connection/connection";
import { SignalingError } from "../../src/connection/signaling";
import { dialWebRtc } from "../../src/connection/webrtc";
import { CloseCode, type ServerMessage } from "../../src/protocol";
import { FakeClock, settled } from "../fakes";

const offer = "v=0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n";
const stream = { getVideoTracks: () => ["our track"] } as unknown as MediaStream;

class FakeChannel {
  readyState = "connecting";
  sent: string[] = [];
  onopen = () => {};
  onclose = () => {};
  onmessage: (event: { data: string }) => void = () => {};

  send(text: string): void {
    this.sent.push(text);
  }

  open(): void {
    this.readyState = "open";
    this.onopen();
  }
}

class FakePeer {
  connectionState = "new";
  localDescription: { sdp: string } | null = null;
  remote: unknown = null;
  channel = new FakeChannel();
  label = "";
  transceivers: [unknown, RTCRtpTransceiverInit][] = [];
  codecs: unknown[] = [];
  receiver: { jitterBufferTarget?: number; playoutDelayHint?: number } = {};
  sending: { degradationPreference?: string } = {};
  isClosed = false;
  onicecandidate: (event: { candidate: { candidate: string } | null }) => void = () => {};
  onconnectionstatechange = () => {};
  ontrack: (event: { track: unknown; streams: unknown[] }) => void = () => {};

  constructor(readonly configuration: RTCConfiguration) {}

  createDataChannel(label: string) {
    this.label = label;
    return this.channel;
  }

  addTransceiver(track: unknown, init: RTCRtpTransceiverInit) {
    this.transceivers.push([track, init]);
    return {
      mid: "0",
      receiver: this.receiver,
      sender: {
        getParameters: () => ({}),
        setParameters: async (parameters: object) => Object.assign(this.sending, parameters),
      },
      setCodecPreferences: (codecs: unknown[]) => this.codecs.push(...codecs),
    };
  }

  async setLocalDescription(): Promise<void> {
    this.localDescription = { sdp: offer };
  }

  async setRemoteDescription(description: unknown): Promise<void> {
    this.remote = description;
  }

  async getStats() {
    return new Map([["P", { id: "P", type: "candidate-pair", selected: true, currentRoundTripTime: 0.02 }]]);
  }

  close(): void {
    this.isClosed = true;
  }

  become(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange();
  }
}

let clock: FakeClock;
let peers: FakePeer[];
let config: { ice_servers: RTCIceServer[]; webrtc?: boolean };
let refusal: Error | null;
let answerIsThere: Promise<void>;
let http: string[];
let heard: ServerMessage[];
let videos: unknown[];
let closed: [number, string][];
let leave: () => void;
let transport: Transport;

beforeEach(() => {
  clock = new FakeClock();
  peers = [];
  config = { ice_servers: [{ urls: "stun:stun.example.org" }], webrtc: true };
  refusal = null;
  answerIsThere = Promise.resolve();
  http = [];
  heard = [];
  videos = [];
  closed = [];
  leave = () => {};
});

function dial({ hasPeers = true } = {}): void {
  const createPeer = (configuration: RTCConfiguration) => {
    const peer = new FakePeer(configuration);
    peers.push(peer);
    return peer as unknown as RTCPeerConnection;
  };
  transport = dialWebRtc({
    clock,
    signaling: {
      config: async () => config,
      async offer(sdp) {
        http.push(`POST ${sdp.length}`);
        await answerIsThere;
        if (refusal) throw refusal;
        return {
          sdp: "answer",
          trickle: async (fragment) => void http.push(`PATCH ${fragment.split("\r\n").slice(4, -1).join(" ")}`),
          end: () => void http.push("DELETE"),
        };
      },
    },
    stream: () => stream,
    createPeer: hasPeers ? createPeer : null,
    codecs: () => [{ mimeType: "video/VP9", clockRate: 90_000 }, { mimeType: "video/VP8", clockRate: 90_000 }],
    onLeave(action) {
      leave = action;
      return () => {
        leave = () => {};
      };
    },
  })({
    message: (message) => heard.push(message),
    frame() {},
    video: (video) => videos.push(video),
    closed: (code, reason) => closed.push([code, reason]),
  });
}

function peer(): FakePeer {
  const last = peers.at(-1);
  if (!last) throw new Error("there is no peer");
  return last;
}

async function open(): Promise<void> {
  dial();
  await settled();
  peer().channel.open();
}

describe("the offer", () => {
  test("has one track both ways, a channel, and the server's ICE servers", async () => {
    await open();
    expect(peer().configuration).toEqual({ iceServers: config.ice_servers, bundlePolicy: "max-bundle" });
    expect(peer().label).toBe("control");
    expect(peer().transceivers).toEqual([
      ["our track", { direction: "sendrecv", streams: [stream], sendEncodings: [{ maxBitrate: 8_000_000 }] }],
    ]);
    expect(peer().codecs).toEqual([{ mimeType: "video/VP8", clockRate: 90_000 }]);
    expect(peer().remote).toEqual({ type: "answer", sdp: "answer" });
  });

  test("asks for the lowest delay, and for the whole size", async () => {
    await open();
    expect(peer().receiver).toEqual({ jitterBufferTarget: 0, playoutDelayHint: 0 });
    expect(peer().sending).toEqual({ degradationPreference: "maintain-resolution" });
  });

  test("goes out before any candidate is known; they follow the answer", async () => {
    let answer = () => {};
    answerIsThere = new Promise((resolve) => {
      answer = resolve;
    });
    dial();
    await settled();
    expect(http).toEqual([`POST ${offer.length}`]);
    peer().onicecandidate({ candidate: { candidate: "candidate:1" } });
    peer().onicecandidate({ candidate: { candidate: "" } });
    peer().onicecandidate({ candidate: null });
    answer();
    await settled();
    expect(http.slice(1)).toEqual(["PATCH a=candidate:1 a=end-of-candidates"]);
  });
});

describe("an open channel", () => {
  test("carries messages both ways, and the video comes beside it", async () => {
    await open();
    transport.send({ type: "command", command: "reset" });
    expect(peer().channel.sent).toEqual(['{"type":"command","command":"reset"}']);
    peer().channel.onmessage({ data: '{"type":"closed","code":1011,"reason":"why"}' });
    peer().channel.onmessage({ data: '{"type":"unknown"}' });
    expect(heard).toEqual([{ type: "closed", code: 1011, reason: "why" }]);
    peer().ontrack({ track: "their track", streams: ["their stream"] });
    expect(videos).toEqual(["their stream"]);
    expect(await transport.measure?.()).toMatchObject({ roundTrip_ms: 20 });
  });

  test("that brings what is no message ends as such", async () => {
    await open();
    peer().channel.onmessage({ data: "[]" });
    expect(closed).toEqual([[CloseCode.protocol, "text that is no JSON object"]]);
  });

  test("that closes without a word is a lost connection", async () => {
    await open();
    peer().channel.readyState = "closed";
    peer().channel.onclose();
    expect(closed).toEqual([[OwnCode.lost, ""]]);
    expect(peer().isClosed).toBe(true);
    expect(http.at(-1)).toBe("DELETE");
  });
});

describe("a path that breaks", () => {
  test.each(["disconnected", "failed"])("(%s) may be mended within five seconds", async (state) => {
    await open();
    peer().become(state);
    clock.pass(4_900);
    peer().become("connected");
    clock.pass(60_000);
    expect(closed).toEqual([]);
  });

  test.each(["disconnected", "failed"])("(%s) and isn't mended is a lost connection", async (state) => {
    await open();
    peer().become(state);
    clock.pass(5_000);
    expect(closed).toEqual([[OwnCode.lost, ""]]);
  });

  test("is one that never was, where the channel isn't open four seconds after the answer", async () => {
    dial();
    await settled();
    peer().become("failed");
    clock.pass(3_900);
    expect(closed).toEqual([]);
    clock.pass(100);
    expect(closed).toEqual([[OwnCode.unconnected, ""]]);
    expect(http.at(-1)).toBe("DELETE");
  });
});

describe("a no", () => {
  test("of the server's keeps its code and its reason", async () => {
    refusal = new SignalingError(CloseCode.full, "the server is full");
    dial();
    await settled();
    expect(closed).toEqual([[CloseCode.full, "the server is full"]]);
    expect(peer().isClosed).toBe(true);
  });

  test("of the browser's to the answer is no connection", async () => {
    refusal = new TypeError("bad SDP");
    dial();
    await settled();
    expect(closed).toEqual([[OwnCode.unconnected, "TypeError: bad SDP"]]);
  });

  test("is known beforehand where the server or the browser does without", async () => {
    config.webrtc = false;
    dial();
    await settled();
    config.webrtc = true;
    dial({ hasPeers: false });
    await settled();
    expect(closed.map(([code]) => code)).toEqual([OwnCode.unavailable, OwnCode.unavailable]);
    expect(http).toEqual([]);
  });

  test("is not read from a server that says nothing about it", async () => {
    config = { ice_servers: [] };
    await open();
    expect(closed).toEqual([]);
  });
});

describe("closing", () => {
  test("tells the server, and is heard of no more", async () => {
    await open();
    transport.close();
    transport.close();
    peer().channel.onclose();
    clock.pass(60_000);
    expect(http.slice(1)).toEqual(["DELETE"]);
    expect(closed).toEqual([]);
  });

  test("before the answer ends what the server has made by then", async () => {
    let answer = () => {};
    answerIsThere = new Promise((resolve) => {
      answer = resolve;
    });
    dial();
    await settled();
    transport.close();
    answer();
    await settled();
    expect(http.at(-1)).toBe("DELETE");
    expect(peer().remote).toBeNull();
    clock.pass(60_000);
    expect(closed).toEqual([]);
  });

  test("before there is an offer leaves nothing behind", async () => {
    dial();
    transport.close();
    await settled();
    expect(peers).toEqual([]);
    expect(http).toEqual([]);
  });

  test("happens when the page goes away", async () => {
    await open();
    leave();
    expect(http.at(-1)).toBe("DELETE");
    expect(closed).toEqual([[OwnCode.lost, ""]]);
  });

  test("leaves nobody to send to", async () => {
    await open();
    peer().channel.readyState = "closing";
    transport.send({ type: "command", command: "reset" });
    expect(peer().channel.sent).toEqual([]);
  });
});
