import { beforeEach, expect, test } from "vitest";
import { Trickle } from "../../src/connection/trickle";
import { FakeClock, settled } from "../fakes";

let clock: FakeClock;
let trickle: Trickle;
let sent: [string[], boolean][];
let arrive: () => void;

beforeEach(() => {
  clock = new FakeClock();
  trickle = new Trickle(clock);
  sent = [];
});

async function send(candidates: string[], isLast: boolean): Promise<void> {
  sent.push([candidates, isLast]);
  await new Promise<void>((resolve) => {
    arrive = resolve;
  });
}

test("candidates wait for the answer, and go together", async () => {
  trickle.add("a");
  trickle.add("b");
  clock.pass(1_000);
  expect(sent).toEqual([]);
  trickle.open(send);
  expect(sent).toEqual([[["a", "b"], false]]);
});

test("one batch follows the other", async () => {
  trickle.open(send);
  trickle.add("a");
  clock.pass(40);
  trickle.add("b");
  clock.pass(50);
  trickle.add("c");
  trickle.add(null);
  expect(sent).toEqual([[["a", "b"], false]]);
  arrive();
  await settled();
  expect(sent).toEqual([
    [["a", "b"], false],
    [["c"], true],
  ]);
});

test("the end is told even without candidates, and only once", async () => {
  trickle.open(send);
  trickle.add(null);
  arrive();
  await settled();
  trickle.open(send);
  expect(sent).toEqual([[[], true]]);
});

test("nothing is sent after the end of the connection", () => {
  trickle.open(send);
  trickle.add("a");
  trickle.stop();
  clock.pass(1_000);
  expect(sent).toEqual([]);
});
