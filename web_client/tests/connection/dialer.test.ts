import { signal } from "@preact/signals";
import { beforeEach, describe, expect, test } from "vitest";
import { OwnCode, type Transport, type TransportEvents } from "../../src/connection/connection";
import { Dialer } from "../../src/connection/dialer";
import type { TransportChoice, TransportKind } from "../../src/connection/transport_choice";
import { CloseCode, type ServerMessage } from "../../src/protocol";
import { FakeClock } from "../fakes";

const loading: ServerMessage = { type: "loading", stage: "compiling", percent: null };

interface Dialled extends Transport {
  kind: TransportKind;
  events: TransportEvents;
}

let clock: FakeClock;
let dialled: Dialled[];
let sent: string[];
let isVideo: boolean;
let fallBacks: number;
let closed: number[];
let dialer: Dialer;

function dialOf(kind: TransportKind) {
  return (events: TransportEvents): Transport => {
    const transport = {
      kind,
      events,
      send: () => sent.push(kind),
      close: () => sent.push(`close ${kind}`),
    };
    dialled.push(transport);
    return transport;
  };
}

beforeEach(() => {
  clock = new FakeClock();
  dialled = [];
  sent = [];
  isVideo = true;
  fallBacks = 0;
  closed = [];
  dialer = new Dialer({
    clock,
    dials: { websocket: dialOf("websocket"), webrtc: dialOf("webrtc") },
    choice: signal<TransportChoice>("automatic"),
    isLocal: false,
    isVideo: () => isVideo,
    onFallBack: () => fallBacks++,
  });
});

function dial(): Transport {
  return dialer.dial({
    message() {},
    frame() {},
    video() {},
    closed: (code) => closed.push(code),
  });
}

function newest(): Dialled {
  const last = dialled.at(-1);
  if (!last) throw new Error("nothing was dialled");
  return last;
}

const kinds = () => dialled.map(({ kind }) => kind);

/** A connection that comes up and is lost after a while. */
function loseAfter(ms: number): void {
  dial();
  newest().events.message(loading);
  clock.pass(ms);
  newest().events.closed(OwnCode.lost, "");
}

describe("automatic", () => {
  test("goes by the source", () => {
    isVideo = false;
    dial();
    isVideo = true;
    expect(dialer.wanted).toBe("webrtc");
    expect(dialer.inUse.value).toBe("websocket");
    dial();
    expect(kinds()).toEqual(["websocket", "webrtc"]);
  });

  test("takes a WebSocket within the same dial where nothing gets through, and says so", () => {
    const transport = dial();
    newest().events.closed(OwnCode.unconnected, "");
    expect(kinds()).toEqual(["webrtc", "websocket"]);
    expect(closed).toEqual([]);
    expect(fallBacks).toBe(1);
    expect(dialer.inUse.value).toBe("websocket");
    transport.send({ type: "command", command: "freeze" });
    transport.close();
    expect(sent).toEqual(["websocket", "close websocket"]);
  });

  test("has nothing to say of a server that does without", () => {
    dial();
    newest().events.closed(OwnCode.unavailable, "");
    expect(kinds()).toEqual(["webrtc", "websocket"]);
    expect(fallBacks).toBe(0);
  });

  test("stays with the WebSocket until somebody chooses", () => {
    dial();
    newest().events.closed(OwnCode.unconnected, "");
    dial();
    expect(newest().kind).toBe("websocket");
    dialer.choose("automatic");
    dial();
    expect(newest().kind).toBe("webrtc");
  });

  test("gives up a connection that breaks off twice in a row", () => {
    loseAfter(2_000);
    expect(fallBacks).toBe(0);
    loseAfter(2_000);
    expect(closed).toEqual([OwnCode.lost, OwnCode.lost]);
    expect(fallBacks).toBe(1);
    expect(dialer.wanted).toBe("websocket");
  });

  test("forgives one that held in between", () => {
    for (let time = 0; time < 5; time++) loseAfter(60_000);
    expect(fallBacks).toBe(0);
    expect(dialer.wanted).toBe("webrtc");
  });

  test.each([OwnCode.lost, CloseCode.refused, CloseCode.full])("a server that says %i has not failed WebRTC", (code) => {
    for (let time = 0; time < 3; time++) {
      dial();
      newest().events.closed(code, "");
    }
    expect(kinds()).toEqual(["webrtc", "webrtc", "webrtc"]);
    expect(closed).toEqual([code, code, code]);
    expect(fallBacks).toBe(0);
  });
});

describe("by hand", () => {
  test("WebRTC is never left by itself", () => {
    dialer.choose("webrtc");
    isVideo = false;
    for (const code of [OwnCode.unconnected, OwnCode.unavailable]) {
      dial();
      newest().events.closed(code, "");
    }
    loseAfter(10);
    loseAfter(10);
    expect(kinds()).toEqual(["webrtc", "webrtc", "webrtc", "webrtc"]);
    expect(closed).toEqual([OwnCode.unconnected, OwnCode.unavailable, OwnCode.lost, OwnCode.lost]);
    expect(fallBacks).toBe(0);
  });

  test("a WebSocket is a WebSocket", () => {
    dialer.choose("websocket");
    dial();
    newest().events.closed(OwnCode.lost, "");
    expect(kinds()).toEqual(["websocket"]);
    expect(closed).toEqual([OwnCode.lost]);
  });
});
