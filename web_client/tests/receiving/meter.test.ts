import { expect, test } from "vitest";
import type { LinkMeasurements } from "../../src/connection/link";
import { Meter } from "../../src/receiving/meter";
import { FakeClock, settled } from "../fakes";

const header = { version: 1, format: 1 as const, flags: 0, seq: 1, engine_us: 0, payload: new Uint8Array() };

test("frames tell their latency and their params", async () => {
  const clock = new FakeClock();
  const meter = new Meter(clock, async () => null);
  clock.pass(480);
  meter.shown({ ...header, captured_us: 450_000n, params_version: 3 });
  clock.pass(20);
  await settled();
  expect(meter.now.value).toMatchObject({ latency_p50_ms: 30, link: null });
  expect(meter.paramsVersion.value).toBe(3);
});

test("a video is counted, and its link is read time after time", async () => {
  const clock = new FakeClock();
  let link: LinkMeasurements = { roundTrip_ms: null, jitterBuffer_ms: null, codec: null };
  const meter = new Meter(clock, async () => link);
  for (let time = 0; time < 10; time++) {
    meter.played(2, 5);
    clock.pass(50);
  }
  await settled();
  expect(meter.now.value.shown_fps).toBeCloseTo(38);
  expect(meter.now.value.latency_p50_ms).toBeNull();
  expect(meter.paramsVersion.value).toBe(5);
  link = { roundTrip_ms: 12, jitterBuffer_ms: 8, codec: "H264" };
  clock.pass(500);
  await settled();
  expect(meter.now.value.link).toEqual(link);
});
