import { describe, expect, test } from "vitest";
import frames from "../../tests/data/protocol/frames.json";
import messages from "../../tests/data/protocol/messages.json";
import { type Format, HEADER_BYTES, packFrame, parseMessage, ProtocolError, unpackFrame } from "../src/protocol";

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

describe("binary messages", () => {
  test.each(frames.frames)("unpacks $name", ({ hex, fields, payload_hex }) => {
    const { payload, ...header } = unpackFrame(bytes(hex).buffer);
    expect(header).toEqual({ ...fields, captured_us: BigInt(fields.captured_us) });
    expect(payload).toEqual(bytes(payload_hex));
  });

  test.each(frames.frames)("packs $name", ({ hex, fields, payload_hex }) => {
    const header = { ...fields, format: fields.format as Format, captured_us: BigInt(fields.captured_us) };
    expect(new Uint8Array(packFrame(header, bytes(payload_hex)))).toEqual(bytes(hex));
  });

  const refused = frames.invalid.filter(({ receiver }) => receiver !== "server");
  test.each(refused)("refuses $name", ({ hex, reason }) => {
    expect(() => unpackFrame(bytes(hex).buffer)).toThrow(ProtocolError);
    expect(() => unpackFrame(bytes(hex).buffer)).toThrow(reason);
  });

  test("the payload is a view, not a copy", () => {
    const buffer = bytes(frames.frames[0]?.hex ?? "").buffer;
    expect(unpackFrame(buffer).payload.buffer).toBe(buffer);
    expect(unpackFrame(buffer).payload.byteOffset).toBe(HEADER_BYTES);
  });
});

describe("text messages", () => {
  const fromServer = messages.messages.filter(({ from }) => from === "server");
  test.each(fromServer)("takes $name", ({ message }) => {
    expect(parseMessage(JSON.stringify(message))).toEqual(message);
  });

  test("takes the last one of a transport without close codes", () => {
    const message = { type: "closed", code: 1011, reason: "the engine failed" };
    expect(parseMessage(JSON.stringify(message))).toEqual(message);
  });

  test("passes over an unknown type", () => {
    expect(parseMessage('{"type":"tempo","bpm":120}')).toBeNull();
    expect(parseMessage('{"type":7}')).toBeNull();
    expect(parseMessage("{}")).toBeNull();
  });

  test("keeps a known message with unknown fields", () => {
    const message = messages.ignored.find(({ message: { type } }) => type === "queued")?.message;
    expect(parseMessage(JSON.stringify(message))).toEqual(message);
  });

  test.each(messages.invalid)("refuses $name", ({ text }) => {
    expect(() => parseMessage(text)).toThrow(ProtocolError);
  });
});
