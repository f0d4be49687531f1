import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ClientError, connect, type RealtimeClient } from "../../src/client";
import { Flag, Format, packFrame } from "../../src/protocol";
import { settled } from "../fakes";

class FakeSocket {
  static all: FakeSocket[] = [];
  onmessage: (event: { data: string | ArrayBuffer }) => void = () => {};
  onclose: (event: { code: number; reason: string }) => void = () => {};
  readonly sent: unknown[] = [];
  isClosed = false;
  readonly url: string;
  readonly protocols: string[];

  constructor(url: URL, protocols: string[]) {
    [this.url, this.protocols] = [String(url), protocols];
    FakeSocket.all.push(this);
  }

  send(data: string | ArrayBuffer): void {
    this.sent.push(typeof data === "string" ? JSON.parse(data) : data);
  }

  close(): void {
    this.isClosed = true;
  }

  say(message: object): void {
    this.onmessage({ data: JSON.stringify(message) });
  }

  ready(params: object = {}): void {
    const all = { version: 1, width: 64, height: 64, prompt: "", strength: 0.5, ...params };
    this.say({ type: "ready", protocol: 1, session: "made-up", model: "echo", params: all, window: 2, limits: {} });
  }
}

const newest = () => FakeSocket.all.at(-1) as FakeSocket;
const drawn: string[] = [];

/** Of which only what the client asks for is there. */
function aCanvas(): HTMLCanvasElement {
  const context = { clearRect() {}, drawImage: (image: { text: string }) => drawn.push(image.text) };
  return { width: 0, height: 0, getContext: () => context } as unknown as HTMLCanvasElement;
}

let clients: RealtimeClient[];

function made(options: Parameters<typeof connect>[0] = {}): RealtimeClient {
  const client = connect({ server: "http://host:8777/", output: aCanvas(), ...options });
  clients.push(client);
  return client;
}

beforeEach(() => {
  FakeSocket.all = [];
  drawn.length = 0;
  clients = [];
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("HTMLVideoElement", class {});
  vi.stubGlobal("createImageBitmap", async (blob: Blob) => ({ text: await blob.text(), width: 8, height: 6, close() {} }));
});

afterEach(() => {
  for (const client of clients) client.close();
  vi.useRealTimers();
});

test("it dials the server's socket with the session, and tells a token or a ticket", () => {
  made({ server: "https://host/studio/", session: "show", token: "T" });
  expect(newest().url).toBe("wss://host/studio/ws?session=show");
  expect(newest().protocols).toEqual(["realtime.v1", "token.T"]);
  made({ ticket: "abc" });
  expect(newest().url).toBe("ws://host:8777/ws?ticket=abc");
});

test("what was set before there is a connection is told with the first", () => {
  const client = made({ params: { prompt: "gold" } });
  client.set({ strength: 0.7 });
  expect(newest().sent).toEqual([]);
  newest().ready();
  expect(newest().sent).toEqual([{ type: "params", params: { prompt: "gold", strength: 0.7 } }]);
  expect([client.status, client.session]).toEqual(["open", "made-up"]);
});

test("params go out at once, with their transition, and come back to listeners", () => {
  const client = made();
  const seen: unknown[] = [];
  newest().ready();
  const end = client.on("params", ({ prompt }) => seen.push(prompt));
  client.set({ prompt: "neon" }, 2);
  expect(newest().sent).toEqual([{ type: "params", params: { prompt: "neon" }, transition_s: 2 }]);
  newest().say({ type: "params", params: { version: 2, width: 64, height: 64, prompt: "neon" } });
  end();
  newest().say({ type: "params", params: { version: 3, width: 64, height: 64, prompt: "gone" } });
  expect(seen).toEqual(["neon"]);
  expect(client.params?.prompt).toBe("gone");
});

test("it reconnects to its session, and tells a server that has forgotten it what was set", () => {
  const client = made();
  const states: string[] = [];
  client.on("status", (status) => states.push(status));
  newest().ready();
  client.set({ prompt: "neon" });
  newest().onclose({ code: 1006, reason: "" });
  vi.advanceTimersByTime(2000);
  expect(FakeSocket.all.length).toBe(2);
  expect(newest().url).toContain("session=made-up");
  newest().ready({ prompt: "", strength: 0.2 });
  expect(newest().sent).toEqual([{ type: "params", params: { prompt: "neon" } }]);
  expect(states).toEqual(["open", "retrying", "connecting", "open"]);
});

test("a param that is refused is told, and not tried with each connection", () => {
  const client = made({ params: { strength: 7 } });
  const errors: ClientError[] = [];
  client.on("error", (error) => errors.push(error));
  newest().ready();
  newest().say({ type: "error", code: "invalid_params", message: "strength: at most 1", field: "strength" });
  expect(errors).toEqual([{ kind: "invalid_params", message: "strength: at most 1", field: "strength" }]);
  newest().onclose({ code: 1006, reason: "" });
  vi.advanceTimersByTime(2000);
  newest().ready();
  expect(newest().sent).toEqual([]);
});

test("a server that wants a token is told of in words, and not asked again", () => {
  const client = made();
  const errors: ClientError[] = [];
  client.on("error", (error) => errors.push(error));
  newest().onclose({ code: 1008, reason: "a token is needed" });
  vi.advanceTimersByTime(60_000);
  expect(FakeSocket.all.length).toBe(1);
  expect(client.status).toBe("closed");
  expect(errors).toEqual([{ kind: "refused", message: expect.stringContaining("(a token is needed)") }]);
});

test("the newest picture is drawn and told, and an older one that comes late is not", async () => {
  const client = made();
  const told: number[] = [];
  client.on("picture", ({ paramsVersion }) => told.push(paramsVersion));
  newest().ready();
  const come = (seq: number, text: string, flags = 0) => {
    const header = { format: flags ? Format.none : Format.jpeg, flags, seq, captured_us: 0n, params_version: seq, engine_us: 0 };
    newest().onmessage({ data: packFrame(header, new TextEncoder().encode(text)) });
  };
  come(2, "two");
  await vi.waitFor(() => expect(drawn).toEqual(["two"]));
  come(1, "one");
  come(3, "", Flag.repeat);
  await settled();
  come(4, "four");
  await vi.waitFor(() => expect(drawn).toEqual(["two", "four"]));
  expect(told).toEqual([2, 4]);
});

test("closing ends the connection, and nothing is tried again", () => {
  const client = made();
  newest().ready();
  client.close();
  vi.advanceTimersByTime(60_000);
  expect([client.status, newest().isClosed, FakeSocket.all.length]).toEqual(["idle", true, 1]);
  expect(client.command("freeze")).toBe(false);
});

test("that pictures are held is told once, and not with each frame", () => {
  const client = made();
  const errors: ClientError[] = [];
  client.on("error", (error) => errors.push(error));
  newest().ready();
  newest().say({ type: "safety", held: true, code: "unsafe", message: "it is held" });
  for (const seq of [1, 2]) newest().say({ type: "error", code: "unsafe", message: "it is held", seq });
  newest().say({ type: "safety", held: false });
  expect(errors.map(({ kind }) => kind)).toEqual(["unsafe"]);
});
