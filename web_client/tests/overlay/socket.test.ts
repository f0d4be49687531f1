import { beforeEach, expect, test, vi } from "vitest";
import { readSocket } from "../../src/overlay/socket";
import { Flag, Format, packFrame } from "../../src/protocol";
import { settled } from "../fakes";

class FakeSocket {
  static newest: FakeSocket;
  onmessage: (event: { data: string | ArrayBuffer }) => void = () => {};
  onclose: () => void = () => {};
  isClosed = false;

  constructor() {
    FakeSocket.newest = this;
  }

  close(): void {
    this.isClosed = true;
  }
}

let log: string[];
let decoding: (() => void)[];
let abort: AbortController;
let isOver: boolean;

beforeEach(() => {
  log = [];
  decoding = [];
  abort = new AbortController();
  isOver = false;
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("createImageBitmap", async (blob: Blob) => {
    await new Promise<void>((resolve) => decoding.push(resolve));
    const text = await blob.text();
    if (text === "damaged") throw new Error("no picture");
    return { text, close() {} };
  });
  const draw = (picture: ImageBitmap, isStacked: boolean) => {
    log.push(`${(picture as unknown as { text: string }).text}${isStacked ? ", stacked" : ""}`);
  };
  const read = readSocket(new URL("ws://host/ws?watch=s"), draw);
  const events = { open: () => log.push("open"), heard: () => {} };
  void read(events, abort.signal).then(() => {
    isOver = true;
  });
});

function come(text: string, flags = 0): void {
  const header = { format: Format.jpeg, flags, seq: 1, captured_us: 0n, params_version: 1, engine_us: 0 };
  FakeSocket.newest.onmessage({ data: packFrame(header, new TextEncoder().encode(text)) });
}

async function decodeAll(): Promise<void> {
  for (let each = decoding.shift(); each; each = decoding.shift()) {
    each();
    await vi.waitFor(async () => settled());
    await new Promise((resolve) => setTimeout(resolve));
  }
}

test("pictures are drawn, those that are stacked as such, the newest of those that came meanwhile", async () => {
  FakeSocket.newest.onmessage({ data: '{"type":"ready"}' });
  come("first", Flag.stacked);
  come("second");
  come("third");

  await decodeAll();

  expect(log).toEqual(["open", "first, stacked", "third"]);
});

test("a picture that can't be decoded is passed over", async () => {
  come("damaged");
  await decodeAll();
  come("whole");
  await decodeAll();

  expect(log).toEqual(["whole"]);
});

test("it is over when the socket closes, or when it is given up", async () => {
  abort.abort();
  await settled();

  expect(FakeSocket.newest.isClosed).toBe(true);
  expect(isOver).toBe(true);
});
