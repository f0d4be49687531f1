import { expect, test } from "vitest";
import { boundaryOf, MultipartParser } from "../../src/overlay/mjpeg";

const text = new TextEncoder();
const withLength = "--b\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\n\r\none--\r\n";
const withoutLength = "--b\r\nContent-Type: image/jpeg\r\n\r\ntwo\r\n";

test("names its boundary", () => {
  expect(boundaryOf("multipart/x-mixed-replace; boundary=b")).toBe("b");
  expect(boundaryOf('multipart/x-mixed-replace;boundary="--b"')).toBe("b");
  expect(boundaryOf("image/jpeg")).toBeNull();
  expect(boundaryOf(null)).toBeNull();
});

test.each([1, 2, 3, 7, 1000])("comes apart alike in chunks of %i bytes", (size) => {
  const stream = text.encode(`${withLength}${withoutLength}${withLength}--b`);
  const parser = new MultipartParser("b");
  const parts: string[] = [];
  for (let at = 0; at < stream.length; at += size) {
    for (const part of parser.push(stream.subarray(at, at + size))) parts.push(new TextDecoder().decode(part));
  }
  expect(parts).toEqual(["one--", "two", "one--"]);
});
