import { beforeEach, describe, expect, test } from "vitest";
import { differences, ParamsStore } from "../../src/params/params";
import type { Params, Value } from "../../src/protocol";
import { FakeClock } from "../fakes";

const first: Params = { version: 1, width: 256, height: 256, prompt: "ink", strength: 0.5 };

let clock: FakeClock;
let sent: Record<string, Value>[];
let transitions_s: (number | undefined)[];
let isConnected: boolean;
let params: ParamsStore;

beforeEach(() => {
  clock = new FakeClock();
  sent = [];
  transitions_s = [];
  isConnected = true;
  params = new ParamsStore({
    clock,
    send(patch, transition_s) {
      if (isConnected) {
        sent.push(patch);
        transitions_s.push(transition_s);
      }
      return isConnected;
    },
  });
  params.confirm(first);
});

describe("sending", () => {
  test("typing is sent once it pauses", () => {
    for (const text of ["o", "oi", "oil"]) {
      params.edit("prompt", text, "typing");
      clock.pass(50);
    }
    expect(sent).toEqual([]);
    clock.pass(30);
    expect(sent).toEqual([{ prompt: "oil" }]);
  });

  test("sliding is sent at most once a frame, with the newest value", () => {
    for (const value of [0.6, 0.7, 0.8]) params.edit("strength", value, "sliding");
    clock.pass(16);
    expect(sent).toEqual([{ strength: 0.8 }]);
  });

  test("edits of one moment go out as one patch", () => {
    params.edit("prompt", "oil", "typing");
    params.edit("strength", 0.9, "sliding");
    clock.pass(100);
    expect(sent).toEqual([{ prompt: "oil", strength: 0.9 }]);
  });

  test("edits with another transition go out beside those of the hand", () => {
    params.edit("prompt", "oil", "sliding", 4);
    params.edit("seed", 3, "sliding", 4);
    params.edit("strength", 0.9, "sliding");
    clock.pass(16);
    expect(sent).toEqual([{ prompt: "oil", seed: 3 }, { strength: 0.9 }]);
    expect(transitions_s).toEqual([4, undefined]);
    params.resend();
    expect(transitions_s).toEqual([4, undefined, 4, undefined]);
  });

  test("edits made without a connection wait for it", () => {
    isConnected = false;
    params.edit("strength", 0.9, "sliding");
    clock.pass(5_000);
    expect(params.shown.value.strength).toBe(0.9);
    isConnected = true;
    params.confirm(first);
    params.flush();
    expect(sent).toEqual([{ strength: 0.9 }]);
  });

  test("what a connection may have swallowed is sent again on the next, but not what was refused", () => {
    params.edit("strength", 0.9, "sliding");
    params.edit("seed", -1, "sliding");
    clock.pass(16);
    params.refuse("seed", "at least 0");
    params.confirm(first);
    params.resend();
    expect(sent).toEqual([{ strength: 0.9, seed: -1 }, { strength: 0.9 }]);
    params.confirm({ ...first, version: 2, strength: 0.9 });
    params.resend();
    expect(sent).toHaveLength(2);
  });
});

describe("what is shown", () => {
  test("an older answer doesn't pull a slider back", () => {
    params.edit("strength", 0.6, "sliding");
    clock.pass(16);
    params.edit("strength", 0.7, "sliding");
    clock.pass(16);
    params.confirm({ ...first, version: 2, strength: 0.6 });
    expect(params.shown.value.strength).toBe(0.7);
    params.confirm({ ...first, version: 3, strength: 0.7 });
    params.confirm({ ...first, version: 4, strength: 0.1 });
    expect(params.shown.value.strength).toBe(0.1);
  });

  test("what the server made of an edit wins in the end", () => {
    params.edit("prompt", "oil ", "typing");
    clock.pass(80);
    params.confirm({ ...first, version: 2, prompt: "oil" });
    clock.pass(2_000);
    expect(params.shown.value.prompt).toBe("oil");
  });

  test("another controller's change shows at once", () => {
    params.confirm({ ...first, version: 2, strength: 0.2 });
    expect(params.shown.value.strength).toBe(0.2);
  });
});

describe("a refused field", () => {
  beforeEach(() => {
    params.edit("strength", 7, "typing");
    clock.pass(80);
    params.refuse("strength", "at most 1");
  });

  test("keeps the edit and the reason in view", () => {
    clock.pass(5_000);
    expect(params.shown.value.strength).toBe(7);
    expect(params.errors.value).toEqual({ strength: "at most 1" });
  });

  test("forgets the reason with the next edit", () => {
    params.edit("strength", 0.7, "typing");
    expect(params.errors.value).toEqual({});
  });

  test("shows the truth again when it is left", () => {
    params.leave("strength");
    expect(params.shown.value.strength).toBe(0.5);
    expect(params.errors.value).toEqual({});
  });
});

test("differences name what was lost, not the version", () => {
  expect(differences({ ...first, prompt: "oil" }, { ...first, version: 9, seed: 1 })).toEqual({ prompt: "oil" });
  expect(differences(first, { ...first, version: 2 })).toEqual({});
});

describe("lending", () => {
  test("a lent value is in force, and the user's own stays in view", () => {
    params.lend("strength", 0.1);
    params.confirm({ ...first, version: 2, strength: 0.1 });
    expect(sent).toEqual([{ strength: 0.1 }]);
    expect(params.shown.value.strength).toBe(0.5);
  });

  test("giving back sends the user's own again", () => {
    params.lend("strength", 0.1);
    params.confirm({ ...first, version: 2, strength: 0.1 });
    params.giveBack("strength");
    expect(sent.at(-1)).toEqual({ strength: 0.5 });
    expect(params.shown.value.strength).toBe(0.5);
  });

  test("what the user chooses meanwhile is theirs, and stays", () => {
    params.lend("strength", 0.1);
    params.edit("strength", 0.8, "sliding");
    clock.pass(16);
    params.giveBack("strength");
    expect(sent).toEqual([{ strength: 0.1 }, { strength: 0.8 }]);
    expect(params.shown.value.strength).toBe(0.8);
  });

  test("what another controller chooses meanwhile stays too", () => {
    params.lend("strength", 0.1);
    params.confirm({ ...first, version: 2, strength: 0.9 });
    params.giveBack("strength");
    expect(sent).toEqual([{ strength: 0.1 }]);
    expect(params.shown.value.strength).toBe(0.9);
  });

  test("nothing is lent that is in force already, or that the user is just changing", () => {
    params.lend("strength", 0.5);
    params.edit("prompt", "oil", "typing");
    params.lend("prompt", "lead");
    expect(sent).toEqual([]);
  });

  test("without a connection nothing is lent", () => {
    isConnected = false;
    params.lend("strength", 0.1);
    isConnected = true;
    params.giveBack("strength");
    expect(sent).toEqual([]);
  });
});
