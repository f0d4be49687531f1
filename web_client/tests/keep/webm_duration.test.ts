import { expect, test } from "vitest";
import { withDuration } from "../../src/keep/webm_duration";

const UNKNOWN = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const EBML = [0x1a, 0x45, 0xdf, 0xa3, 0x84, 0x42, 0x86, 0x81, 0x01];
const SEGMENT = [0x18, 0x53, 0x80, 0x67];
const SCALE_1_MS = [0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40];
const CLUSTER = [0x1f, 0x43, 0xb6, 0x75, 0x83, 1, 2, 3];

function info(...children: number[]): number[] {
  return [0x15, 0x49, 0xa9, 0x66, 0x80 | children.length, ...children];
}

async function written(file: number[], duration_ms = 2500): Promise<number[]> {
  const blob = await withDuration(new Blob([new Uint8Array(file)], { type: "video/webm" }), duration_ms);
  expect(blob.type).toBe("video/webm");
  return [...new Uint8Array(await blob.arrayBuffer())];
}

function float64(value: number): number[] {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return [...bytes];
}

/** The info as it is written: with a size of eight bytes, and its duration last. */
function longInfo(duration: number, ...children: number[]): number[] {
  return [0x15, 0x49, 0xa9, 0x66, 1, 0, 0, 0, 0, 0, 0, children.length + 11, ...children, 0x44, 0x89, 0x88, ...float64(duration)];
}

test("a recorder's file gets its length, and nothing else changes", async () => {
  const file = [...EBML, ...SEGMENT, ...UNKNOWN, ...info(...SCALE_1_MS), ...CLUSTER];
  expect(await written(file)).toEqual([...EBML, ...SEGMENT, ...UNKNOWN, ...longInfo(2500, ...SCALE_1_MS), ...CLUSTER]);
});

test("the length is in units of the file's scale", async () => {
  const scale = [0x2a, 0xd7, 0xb1, 0x83, 0x01, 0x86, 0xa0];
  const file = [...EBML, ...SEGMENT, ...UNKNOWN, ...info(...scale), ...CLUSTER];
  expect(await written(file)).toEqual([...EBML, ...SEGMENT, ...UNKNOWN, ...longInfo(25_000, ...scale), ...CLUSTER]);
});

test("a scale that isn't written is a millisecond", async () => {
  const file = [...EBML, ...SEGMENT, 0xff, ...info(), ...CLUSTER];
  expect(await written(file)).toEqual([...EBML, ...SEGMENT, 0xff, ...longInfo(2500), ...CLUSTER]);
});

test.each([
  ["a length", [...EBML, ...SEGMENT, ...UNKNOWN, ...info(0x44, 0x89, 0x84, 0, 0, 0, 0), ...CLUSTER]],
  ["a segment of known size", [...EBML, ...SEGMENT, 0x8f, ...info(...SCALE_1_MS), ...CLUSTER]],
  ["something before its info, which may say where things are", [...EBML, ...SEGMENT, ...UNKNOWN, 0x11, 0x4d, 0x9b, 0x74, 0x80, ...info()]],
  ["no segment", EBML],
  ["an info that is cut off", [...EBML, ...SEGMENT, ...UNKNOWN, 0x15, 0x49, 0xa9, 0x66, 0x90, 1, 2]],
  ["another form", [0, 0, 0, 0x20, 0x66, 0x74, 0x79, 0x70]],
  ["nothing in it", []],
])("a file with %s stays as it is", async (_, file) => {
  expect(await written(file)).toEqual(file);
});

test("whatever a file begins with, it is read to its end and not beyond", async () => {
  const file = [...EBML, ...SEGMENT, ...UNKNOWN, ...info(...SCALE_1_MS)];
  for (let length = 0; length < file.length; length++) expect(await written(file.slice(0, length))).toEqual(file.slice(0, length));
});
