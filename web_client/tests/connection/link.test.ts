import { expect, test } from "vitest";
import { LinkReader, type Report } from "../../src/connection/link";

function reports(...all: Report[]): Map<string, Report> {
  return new Map(all.map((report) => [report.id, report]));
}

const transport: Report = { id: "T", type: "transport", selectedCandidatePairId: "P2" };
const idle: Report = { id: "P1", type: "candidate-pair", currentRoundTripTime: 9 };
const inUse: Report = { id: "P2", type: "candidate-pair", currentRoundTripTime: 0.0125 };
const codec: Report = { id: "C", type: "codec", mimeType: "video/H264" };
const sound: Report = { id: "A", type: "inbound-rtp", kind: "audio", jitterBufferDelay: 9, jitterBufferEmittedCount: 1 };

function video(jitterBufferDelay: number, jitterBufferEmittedCount: number): Report {
  return { id: "V", type: "inbound-rtp", kind: "video", codecId: "C", jitterBufferDelay, jitterBufferEmittedCount };
}

test("reads the pair in use and the codec of what arrives", () => {
  const link = new LinkReader().read(reports(idle, transport, inUse, codec, sound, video(0.3, 20)));
  expect(link).toEqual({ roundTrip_ms: 12.5, jitterBuffer_ms: 15, codec: "H264" });
});

test("takes the pair that Firefox marks", () => {
  const selected = { ...inUse, selected: true };
  expect(new LinkReader().read(reports(idle, selected)).roundTrip_ms).toBe(12.5);
});

test("the buffer's delay is that of the newest pictures, and unknown without new ones", () => {
  const reader = new LinkReader();
  reader.read(reports(video(0.3, 20)));
  expect(reader.read(reports(video(0.35, 30))).jitterBuffer_ms).toBeCloseTo(5);
  expect(reader.read(reports(video(0.35, 30))).jitterBuffer_ms).toBeNull();
});

test("knows nothing before there is anything", () => {
  expect(new LinkReader().read(new Map())).toEqual({ roundTrip_ms: null, jitterBuffer_ms: null, codec: null });
});
