import { signal } from "@preact/signals";
import { expect, test, vi } from "vitest";
import { keepAwake } from "../../src/browser/awake";
import { settled } from "../fakes";

function setUp() {
  const isWanted = signal(false);
  const isVisible = signal(true);
  const release = vi.fn(async () => {});
  const request = vi.fn(async () => ({ release }));
  const stop = keepAwake(isWanted, isVisible, request);
  return { isWanted, isVisible, release, request, stop };
}

test("the screen is kept on as long as that is wanted", async () => {
  const { isWanted, release, request } = setUp();
  expect(request).not.toHaveBeenCalled();
  isWanted.value = true;
  expect(request).toHaveBeenCalledOnce();
  isWanted.value = false;
  await settled();
  expect(release).toHaveBeenCalledOnce();
});

test("a page that comes back asks again", async () => {
  const { isWanted, isVisible, request, stop } = setUp();
  isWanted.value = true;
  isVisible.value = false;
  isVisible.value = true;
  expect(request).toHaveBeenCalledTimes(2);
  stop();
});

test("a browser that refuses is left alone", async () => {
  const isWanted = signal(true);
  const refuse = vi.fn(async () => Promise.reject(new Error("low battery")));
  const stop = keepAwake(isWanted, signal(true), refuse);
  await settled();
  stop();
  await settled();
  expect(refuse).toHaveBeenCalledOnce();
});
