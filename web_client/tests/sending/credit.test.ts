import { expect, test } from "vitest";
import { CreditWindow } from "../../src/sending/credit";

function windowWith(...seqs: number[]): CreditWindow {
  const credit = new CreditWindow(2);
  for (const seq of seqs) credit.sent(seq);
  return credit;
}

test("two unsettled frames use the window up", () => {
  expect(windowWith().free).toBe(true);
  expect(windowWith(1).free).toBe(true);
  expect(windowWith(1, 2).free).toBe(false);
});

test("a result settles its frame and every lower one", () => {
  const credit = windowWith(1, 2);
  credit.settleUpTo(2);
  expect(credit.unsettled).toBe(0);
});

test("a result leaves higher frames unsettled", () => {
  const credit = windowWith(1, 2);
  credit.settleUpTo(1);
  expect(credit.unsettled).toBe(1);
});

test("a dropped frame gives its credit back", () => {
  const credit = windowWith(1, 2);
  credit.settle([2]);
  expect(credit.free).toBe(true);
  expect(credit.unsettled).toBe(1);
});

test("an answer for a frame that was never sent, or came twice, changes nothing", () => {
  const credit = windowWith(5);
  credit.settle([4, 99]);
  credit.settleUpTo(4);
  expect(credit.unsettled).toBe(1);
  credit.settleUpTo(5);
  credit.settle([5]);
  expect(credit.unsettled).toBe(0);
});

test("a new connection starts with the window that its server names, never with none", () => {
  const credit = windowWith(1, 2);
  credit.reset(3);
  for (const seq of [3, 4]) credit.sent(seq);
  expect(credit.free).toBe(true);
  credit.reset(0);
  expect(credit.free).toBe(true);
});
