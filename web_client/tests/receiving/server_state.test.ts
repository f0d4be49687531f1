import { beforeEach, describe, expect, test } from "vitest";
import type { Governor, ModelMessage, Params, Ready, Stats } from "../../src/protocol";
import { ServerState } from "../../src/receiving/server_state";
import { FakeClock } from "../fakes";

const ready: Ready = {
  type: "ready",
  protocol: 1,
  session: "s",
  model: "tiny",
  params: { version: 1, width: 256, height: 256 },
  limits: { max_message_bytes: 1, max_pixels: 1, max_sessions: 1 },
  window: 2,
};
const governor: Governor = {
  steps: 2,
  width: 256,
  height: 256,
  quality: 80,
  reason: "late",
  latency_ms: 100,
  fps: null,
};
const params = (extra: Partial<Params> = {}): Params => ({ version: 2, width: 256, height: 256, ...extra });

let clock: FakeClock;
let state: ServerState;

beforeEach(() => {
  clock = new FakeClock();
  state = new ServerState(clock);
});

function stats(paused: number): Stats {
  return {
    type: "stats",
    fps_in: 0,
    fps_out: 0,
    latency_ms: {},
    stage_ms: {},
    dropped: paused > 0 ? { paused } : {},
    rows: 0,
    sessions: 1,
  };
}

test("a new connection says what model there is, and that nothing is governed yet", () => {
  state.receive({ type: "governor", ...governor });
  state.begin({ ...ready, styles: { moods: [{ name: "calm", prompt: "calm" }] }, guidance: "cfg", mattes: ["off", "person"] });
  expect(state.model.value).toBe("tiny");
  expect(state.styles.value.moods).toHaveLength(1);
  expect(state.guidance.value).toBe("cfg");
  expect(state.mattes.value).toEqual(["off", "person"]);
  expect(state.governor.value).toBeNull();
});

test("an older server says nothing of styles, guidance and mattes", () => {
  state.begin(ready);
  expect([state.styles.value, state.guidance.value, state.mattes.value]).toEqual([{}, null, null]);
});

test("params without a target end what the server governs", () => {
  state.receive({ type: "governor", ...governor });
  state.receive({ type: "params", params: params({ min_fps: 20 }) });
  expect(state.governor.value).toMatchObject(governor);
  state.receive({ type: "params", params: params({ min_fps: null, latency_ms: null }) });
  expect(state.governor.value).toBeNull();
});

describe("frozen", () => {
  test("is told by a dropped frame", () => {
    state.receive({ type: "dropped", seqs: [1], reason: "superseded" });
    expect(state.isFrozen.value).toBe(false);
    state.receive({ type: "dropped", seqs: [2], reason: "paused" });
    expect(state.isFrozen.value).toBe(true);
  });

  test("is told by a count that rises, not by one that was there before", () => {
    state.receive(stats(5));
    expect(state.isFrozen.value).toBe(false);
    state.receive(stats(6));
    expect(state.isFrozen.value).toBe(true);
  });

  test("is not told by news that was on its way when it ended", () => {
    state.freeze(true);
    state.freeze(false);
    clock.pass(2_000);
    state.receive({ type: "dropped", seqs: [1], reason: "paused" });
    expect(state.isFrozen.value).toBe(false);
    clock.pass(1);
    state.receive({ type: "dropped", seqs: [2], reason: "paused" });
    expect(state.isFrozen.value).toBe(true);
  });
});

test("another model has what is told of it, and nothing of the one before", () => {
  const other: ModelMessage = { type: "model", model: "sd-turbo", guidance: "none", dissolve_s: 0.5, changed: [] };
  state.begin({ ...ready, styles: { styles: [{ name: "Ink", prompt: "ink" }] }, pictures: true, best_steps: 1 });

  state.receive(other);

  expect(state.model.value).toBe("sd-turbo");
  expect(state.guidance.value).toBe("none");
  expect(state.styles.value).toEqual({});
  expect(state.hearsPictures.value).toBe(false);
  expect(state.bestSteps.value).toBeNull();
});
