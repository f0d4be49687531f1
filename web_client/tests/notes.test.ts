import { beforeEach, expect, test } from "vitest";
import { Notes } from "../src/notes";
import { FakeClock } from "./fakes";

let clock: FakeClock;
let notes: Notes;

beforeEach(() => {
  clock = new FakeClock();
  notes = new Notes(clock);
});

test("a note goes after a while", () => {
  notes.say("addressCopied");
  clock.pass(7_999);
  expect(notes.current.value).toEqual({ kind: "addressCopied" });
  clock.pass(1);
  expect(notes.current.value).toBeNull();
});

test("a newer note has all of its own time", () => {
  notes.say("addressCopied");
  clock.pass(5_000);
  notes.say("lookRestored");
  clock.pass(5_000);
  expect(notes.current.value).toEqual({ kind: "lookRestored" });
});

test("a note that is kept stays until it is dismissed", () => {
  notes.keep("fellBack");
  clock.pass(60_000);
  expect(notes.current.value).toEqual({ kind: "fellBack" });
  notes.dismiss();
  expect(notes.current.value).toBeNull();
});

test("a question stays beside the notes until it is answered, once", () => {
  const answers: boolean[] = [];
  notes.ask("linkOffered", (isYes) => answers.push(isYes));
  notes.say("addressCopied");
  clock.pass(60_000);
  expect(notes.question.value?.kind).toBe("linkOffered");
  notes.question.value?.answer?.(false);
  expect(notes.question.value).toBeNull();
  expect(answers).toEqual([false]);
});
