import { expect, test, vi } from "vitest";
import { optionsIn } from "../../src/overlay/options";

function read(query: string) {
  const warn = vi.fn<(sentence: string) => void>();
  return { options: optionsIn(new URLSearchParams(query), warn), warn };
}

test("an address without options fills the source, and is black in a panic and clear without a session", () => {
  const { options, warn } = read("session=show");
  expect(options).toEqual({ fit: "cover", panic: "black", stall: "clear" });
  expect(warn).not.toHaveBeenCalled();
});

test("each option is heard", () => {
  const { options } = read("session=show&fit=contain&panic=transparent&stall=hold");
  expect(options).toEqual({ fit: "contain", panic: "transparent", stall: "hold" });
});

test("a value that there is not is said, and is as none", () => {
  const { options, warn } = read("panic=red");
  expect(options.panic).toBe("black");
  expect(warn).toHaveBeenCalledWith("There is no panic=red: give black or transparent");
});
