import { beforeEach, describe, expect, test } from "vitest";
import { Connection, OwnCode, type TransportEvents } from "../../src/connection/connection";
import type { Verdict } from "../../src/connection/requests";
import { Problems } from "../../src/problems";
import type { ClientMessage, Ready, ServerMessage } from "../../src/protocol";
import { FakeClock, settled } from "../fakes";

const ready: Ready = {
  type: "ready",
  protocol: 1,
  session: "s",
  model: "echo",
  params: { version: 1, width: 256, height: 256 },
  limits: { max_message_bytes: 1, max_pixels: 1, max_sessions: 1 },
  window: 2,
};

class FakeSocket {
  sent: ClientMessage[] = [];
  isClosed = false;

  constructor(readonly events: TransportEvents) {}

  send(message: ClientMessage): void {
    this.sent.push(message);
  }

  sendFrame(): void {}

  close(): void {
    this.isClosed = true;
  }
}

let clock: FakeClock;
let problems: Problems;
let sockets: FakeSocket[];
let received: ServerMessage[];
let verdict: Verdict;
/** For each end, whether the socket was closed by then. */
let ended: boolean[];
let connection: Connection;

beforeEach(() => {
  clock = new FakeClock();
  problems = new Problems(clock);
  sockets = [];
  received = [];
  verdict = { status: 0, detail: "" };
  ended = [];
  connection = new Connection({
    dial(events) {
      const socket = new FakeSocket(events);
      sockets.push(socket);
      return socket;
    },
    clock,
    problems,
    random: () => 0.5,
    askWhy: async () => verdict,
    onReady: (message) => received.push(message),
    onMessage: (message) => received.push(message),
    onFrame: () => {},
    onVideo: () => {},
    onEnd: () => ended.push(socket().isClosed),
  });
});

function socket(): FakeSocket {
  const last = sockets.at(-1);
  if (!last) throw new Error("nothing was dialled");
  return last;
}

function open(): void {
  connection.start();
  socket().events.message(ready);
}

const state = () => connection.status.value.state;
const problem = () => problems.current.value.get("connection")?.kind;

describe("the way up", () => {
  test("begins idle and dials once", () => {
    expect(state()).toBe("idle");
    connection.start();
    connection.start();
    expect(state()).toBe("connecting");
    expect(sockets).toHaveLength(1);
  });

  test("shows loading and the line before it is open", () => {
    connection.start();
    socket().events.message({ type: "loading", stage: "fetching", percent: 40 });
    expect(connection.status.value).toEqual({ state: "loading", stage: "fetching", percent: 40 });
    socket().events.message({ type: "queued", position: 2, size: 3 });
    expect(connection.status.value).toEqual({ state: "queued", position: 2, size: 3 });
    socket().events.message(ready);
    expect(state()).toBe("open");
    expect(received).toEqual([ready]);
  });

  test("a model may load for as long as it takes", () => {
    connection.start();
    socket().events.message({ type: "loading", stage: "compiling", percent: null });
    clock.pass(30 * 60_000);
    expect(state()).toBe("loading");
  });

  test("a server that says nothing at all is tried again", () => {
    connection.start();
    clock.pass(10_000);
    expect(state()).toBe("retrying");
    expect(problem()).toBe("unreachable");
    expect(socket().isClosed).toBe(true);
  });

  test("another protocol version is not tried again", () => {
    connection.start();
    socket().events.message({ ...ready, protocol: 2 });
    expect(state()).toBe("closed");
    expect(problem()).toBe("version");
    expect(received).toEqual([]);
  });

  test("nothing is sent before it is open", () => {
    connection.start();
    expect(connection.send({ type: "command", command: "freeze" })).toBe(false);
    socket().events.message(ready);
    expect(connection.send({ type: "command", command: "freeze" })).toBe(true);
    expect(socket().sent).toHaveLength(1);
  });
});

describe("the way down", () => {
  test.each([
    [1000, "closed", "ended"],
    [1001, "retrying", "goingAway"],
    [1002, "closed", "version"],
    [1006, "retrying", "lost"],
    [1008, "closed", "refused"],
    [1009, "closed", "tooBig"],
    [1011, "retrying", "engineFailed"],
    [1013, "retrying", "full"],
    [OwnCode.unconnected, "retrying", "webrtcBlocked"],
    [OwnCode.unavailable, "retrying", "webrtcOff"],
    [OwnCode.denied, "closed", "denied"],
  ])("close code %i leads to %s because of %s", (code, expected, kind) => {
    open();
    socket().events.closed(code, "why");
    expect(state()).toBe(expected);
    expect(problems.current.value.get("connection")).toEqual({ kind, detail: "why" });
  });

  test("a transport without close codes says the same in a message", () => {
    open();
    socket().events.message({ type: "closed", code: 1011, reason: "why" });
    expect(state()).toBe("retrying");
    expect(problems.current.value.get("connection")).toEqual({ kind: "engineFailed", detail: "why" });
    expect(socket().isClosed).toBe(true);
    expect(received).toEqual([ready]);
  });

  test("the last picture can be kept before the transport is closed", () => {
    open();
    socket().events.closed(1006, "");
    expect(ended).toEqual([false]);
    connection.stop();
    expect(ended).toEqual([false]);
  });

  test("silence is a lost connection", () => {
    open();
    clock.pass(14_000);
    expect(state()).toBe("open");
    socket().events.message({ type: "dropped", seqs: [], reason: "too_old" });
    clock.pass(14_000);
    expect(state()).toBe("open");
    clock.pass(1_000);
    expect(state()).toBe("retrying");
    expect(problem()).toBe("lost");
  });

  test.each([
    [401, "refused"],
    [403, "denied"],
    [421, "denied"],
  ])("a refusal, %i, that hides behind a failed handshake is said in the server's words", async (status, kind) => {
    verdict = { status, detail: "allow it with --allowed-origin" };
    connection.start();
    socket().events.closed(1006, "");
    expect(problem()).toBe("unreachable");
    await settled();
    expect(state()).toBe("closed");
    expect(problems.current.value.get("connection")).toEqual({ kind, detail: "allow it with --allowed-origin" });
    clock.pass(60_000);
    expect(sockets).toHaveLength(1);
  });

  test("a proxy that answers for a server which is gone is quoted, and the server tried again", async () => {
    verdict = { status: 502, detail: "502 Bad Gateway" };
    connection.start();
    socket().events.closed(1006, "");
    await settled();
    expect(state()).toBe("retrying");
    expect(problems.current.value.get("connection")).toEqual({ kind: "unreachable", detail: "502 Bad Gateway" });
  });

  test("a server that answers everything but WebSockets is not called unreachable, once that is sure", async () => {
    verdict = { status: 405, detail: "Method Not Allowed" };
    const seen = [];
    connection.start();
    for (let dial = 0; dial < 4; dial++) {
      socket().events.closed(1006, "");
      await settled();
      seen.push(problem());
      while (state() !== "connecting") clock.pass(100);
    }
    expect(seen).toEqual(["unreachable", "unreachable", "noWebSocket", "noWebSocket"]);
    socket().events.message(ready);
    expect(problem()).toBeUndefined();
  });

  test("what kept us from the server is over when it has us wait", () => {
    connection.start();
    socket().events.closed(1006, "");
    clock.pass(20_000);
    socket().events.message({ type: "loading", stage: "fetching", percent: 40 });
    expect(problem()).toBeUndefined();
  });

  test("stopping leaves neither a problem nor a retry", () => {
    open();
    socket().events.closed(1006, "");
    connection.stop();
    clock.pass(60_000);
    expect(state()).toBe("idle");
    expect(problem()).toBeUndefined();
    expect(sockets).toHaveLength(1);
  });

  test("what an older socket still says is ignored", () => {
    open();
    const old = socket();
    old.events.closed(1006, "");
    clock.pass(1_000);
    socket().events.message(ready);
    old.events.closed(1008, "");
    old.events.message({ type: "queued", position: 1, size: 1 });
    expect(state()).toBe("open");
  });
});

describe("retries", () => {
  function waits(code: number, count: number): number[] {
    const found: number[] = [];
    for (let retry = 0; retry < count; retry++) {
      socket().events.closed(code, "");
      const { status } = connection;
      if (status.value.state !== "retrying") throw new Error(status.value.state);
      found.push(status.value.at_ms - clock.now());
      clock.pass(found.at(-1) ?? 0);
    }
    return found;
  }

  test("wait longer each time, up to a limit", () => {
    connection.start();
    expect(waits(1006, 7)).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  });

  test("a full server and a failed engine are not hurried", () => {
    connection.start();
    expect(waits(1013, 1)).toEqual([5000]);
    expect(waits(1011, 1)).toEqual([3000]);
  });

  test("begin anew after a connection that held", () => {
    connection.start();
    waits(1006, 4);
    socket().events.message(ready);
    clock.pass(6_000);
    expect(waits(1006, 1)).toEqual([500]);
  });

  test("go on growing where the server breaks right after ready", () => {
    connection.start();
    waits(1006, 3);
    socket().events.message(ready);
    expect(waits(1006, 1)).toEqual([4000]);
  });

  test("one can be had at once, and replaces the one that waits", () => {
    open();
    socket().events.closed(1013, "");
    connection.start();
    expect(state()).toBe("connecting");
    socket().events.message(ready);
    expect(problem()).toBeUndefined();
    clock.pass(9_000);
    expect(sockets).toHaveLength(2);
  });
});

describe("another transport", () => {
  test("is dialled at once, with nothing to report", () => {
    open();
    const old = socket();
    connection.redial();
    expect(old.isClosed).toBe(true);
    expect(state()).toBe("connecting");
    expect(problem()).toBeUndefined();
    socket().events.message(ready);
    expect(state()).toBe("open");
    expect(sockets).toHaveLength(2);
  });

  test("takes the place of a retry that waits", () => {
    open();
    socket().events.closed(1013, "");
    connection.redial();
    expect(state()).toBe("connecting");
    clock.pass(9_000);
    expect(sockets).toHaveLength(2);
  });

  test("wakes no connection that has ended", () => {
    connection.redial();
    expect(state()).toBe("idle");
    open();
    socket().events.closed(1000, "");
    connection.redial();
    expect(state()).toBe("closed");
    expect(sockets).toHaveLength(1);
  });

  test("may have no place for frames, and measures its link instead", async () => {
    open();
    expect(await connection.measure()).toBeNull();
    const link = { roundTrip_ms: 1, jitterBuffer_ms: 2, codec: "VP8" };
    Object.assign(socket(), { sendFrame: undefined, measure: async () => link });
    connection.sendFrame(new ArrayBuffer(1));
    expect(await connection.measure()).toEqual(link);
  });
});
