import { expect, test } from "vitest";
import { unzip, zip, ZipError } from "../../../src/draw/file/zip";

const utf8 = new TextEncoder();
const files = new Map([
  ["mimetype", utf8.encode("image/openraster")],
  ["data/größe.png", new Uint8Array([1, 2, 3, 0, 255])],
  ["empty", new Uint8Array()],
]);
const MOST = 1_000_000;

test("what is packed is unpacked", async () => {
  const found = await unzip(zip(files), MOST);
  expect([...found.keys()]).toEqual([...files.keys()]);
  for (const [name, content] of files) expect([...(found.get(name) ?? [])]).toEqual([...content]);
});

/** The archive of one file as other programs write it: compressed. */
async function deflated(name: string, content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = zip(new Map([[name, new Uint8Array(await new Response(stream).arrayBuffer())]]));
  const view = new DataView(bytes.buffer);
  view.setUint16(8, 8, true);
  view.setUint16(view.getUint32(bytes.length - 6, true) + 10, 8, true);
  return bytes;
}

test("compressed files of another program are read, and a comment is passed over", async () => {
  const bytes = await deflated("stack.xml", utf8.encode("<image/>".repeat(1000)));
  const comment = utf8.encode("by another program");
  const whole = new Uint8Array([...bytes, ...comment]);
  new DataView(whole.buffer).setUint16(bytes.length - 2, comment.length, true);
  expect(new TextDecoder().decode((await unzip(whole, MOST)).get("stack.xml"))).toBe("<image/>".repeat(1000));
});

test("a file that is small and opens to something huge is refused", async () => {
  await expect(unzip(await deflated("bomb", new Uint8Array(2 * MOST)), MOST)).rejects.toThrow("too large");
});

test("what is no archive, cut off or broken is refused", async () => {
  const whole = zip(files);
  await expect(unzip(utf8.encode("no archive"), MOST)).rejects.toThrow(ZipError);
  await expect(unzip(new Uint8Array(), MOST)).rejects.toThrow(ZipError);
  await expect(unzip(whole.slice(40), MOST)).rejects.toThrow(ZipError);
  const unknown = whole.slice();
  const view = new DataView(unknown.buffer);
  view.setUint16(view.getUint32(unknown.length - 6, true) + 10, 99, true);
  await expect(unzip(unknown, MOST)).rejects.toThrow("99");
});
