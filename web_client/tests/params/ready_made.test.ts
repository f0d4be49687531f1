import { describe, expect, test } from "vitest";
import { available, isOn, type ReadyMade, readyMades, toggled } from "../../src/params/ready_made";
import type { Control } from "../../src/params/schema";

const number = (name: string, neutral: number) => ({ kind: "number", name, neutral }) as Control;
const choice = (name: string, options: string[]) => ({ kind: "choice", name, options, neutral: options[0] }) as Control;

const amount = [number("strength", 0.4), number("amount", 1)];
const matte = [choice("matte", ["off", "person", "background"]), choice("beyond", ["input", "key"])];
const motion = ["feedback", "feedback_zoom", "feedback_turn", "seed_travel", "transition_s"].map((name) => number(name, 0));
const all = [...amount, ...matte, number("calm", 0), ...motion];
const neutral = Object.fromEntries(all.map((control) => [control.name, control.neutral ?? null]));

function named(name: ReadyMade["name"]): ReadyMade {
  return readyMades.find((one) => one.name === name) as ReadyMade;
}

describe("what is there", () => {
  test("is what a group's controls can take, of each group something", () => {
    expect(available(all)).toEqual(readyMades);
    expect(available(amount).map(({ name }) => name)).toEqual(["touch", "asModel", "daring"]);
    expect(available(matte).map(({ name }) => name)).toEqual(["onlyMe", "behindMe", "forObs"]);
    expect(available(motion).map(({ name }) => name)).toEqual(["tunnel", "breathe", "dissolve"]);
  });

  test("is nothing of which a field is missing", () => {
    expect(available([number("amount", 1)])).toEqual([]);
  });

  test("is nothing with a value that the model has not", () => {
    expect(available([choice("matte", ["off", "drawn"]), choice("beyond", ["input", "key"])])).toEqual([]);
  });
});

describe.each(readyMades)("$name", (one) => {
  const called = { ...neutral, ...toggled(one, neutral, all) };

  test("is on when it was called, and only then", () => {
    expect(isOn(one, called, all)).toBe(true);
    expect(isOn(one, neutral, all)).toBe(one.name === "asModel");
  });

  test("touches only its own fields", () => {
    expect(Object.keys(toggled(one, neutral, all))).toEqual(Object.keys(one.values));
  });

  test("is taken back by another click", () => {
    expect({ ...called, ...toggled(one, called, all) }).toEqual(neutral);
  });
});

test("null stands for the server's default, which may be the model's own", () => {
  const shown = { ...neutral, strength: 0.9 };
  expect(toggled(named("touch"), shown, all)).toEqual({ strength: 0.4, amount: 0.5 });
});

test("one of the same fields takes the place of another, one of others stays beside it", () => {
  let shown = { ...neutral, ...toggled(named("breathe"), neutral, all) };
  shown = { ...shown, ...toggled(named("dissolve"), shown, all) };
  shown = { ...shown, ...toggled(named("tunnel"), shown, all) };
  expect(available(motion).filter((one) => isOn(one, shown, all)).map(({ name }) => name)).toEqual(["tunnel", "dissolve"]);
  expect(shown.seed_travel).toBe(0);
});
