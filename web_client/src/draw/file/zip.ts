/** ZIP archives whose files are not compressed: pictures are already. Source: PKWARE's APPNOTE 6.3. Pure. */

import { crc32 } from "../../browser/crc32";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const VERSION = 20;
/** Names are UTF-8. */
const FLAGS = 1 << 11;
/** The first of January 1980: the same content makes the same file. */
const DATE = 33;
const STORED = 0;
const DEFLATED = 8;
/** The end is followed by a comment of at most 64 KiB. */
const MOST_AFTER_END = 65_535;

/** Raised for bytes that are no archive that this reads. */
export class ZipError extends Error {}

interface Entry {
  name: Uint8Array;
  content: Uint8Array;
  crc: number;
  offset: number;
}

/** An archive of files, in this order. */
export function zip(files: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const entries: Entry[] = [];
  let offset = 0;
  for (const [path, content] of files) {
    const name = new TextEncoder().encode(path);
    entries.push({ name, content, crc: crc32(content), offset });
    offset += LOCAL_BYTES + name.length + content.length;
  }
  const centralBytes = entries.reduce((sum, { name }) => sum + CENTRAL_BYTES + name.length, 0);
  const whole = new Uint8Array(offset + centralBytes + END_BYTES);
  const view = new DataView(whole.buffer);
  let at = offset;
  for (const entry of entries) {
    view.setUint32(entry.offset, LOCAL, true);
    describe(view, entry.offset + 4, entry);
    whole.set(entry.name, entry.offset + LOCAL_BYTES);
    whole.set(entry.content, entry.offset + LOCAL_BYTES + entry.name.length);
    view.setUint32(at, CENTRAL, true);
    view.setUint16(at + 4, VERSION, true);
    describe(view, at + 6, entry);
    view.setUint32(at + 42, entry.offset, true);
    whole.set(entry.name, at + CENTRAL_BYTES);
    at += CENTRAL_BYTES + entry.name.length;
  }
  view.setUint32(at, END, true);
  view.setUint16(at + 8, entries.length, true);
  view.setUint16(at + 10, entries.length, true);
  view.setUint32(at + 12, centralBytes, true);
  view.setUint32(at + 16, offset, true);
  return whole;
}

/** What a file's own header and the directory say alike. */
function describe(view: DataView, at: number, { name, content, crc }: Entry): void {
  view.setUint16(at, VERSION, true);
  view.setUint16(at + 2, FLAGS, true);
  view.setUint16(at + 4, STORED, true);
  view.setUint16(at + 8, DATE, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, content.length, true);
  view.setUint32(at + 18, content.length, true);
  view.setUint16(at + 22, name.length, true);
}

/**
 * The files of an archive, by their paths, as the directory at its end has them.
 *
 * @param most_bytes of all of them together, once they are opened.
 * @throws ZipError
 */
export async function unzip(bytes: Uint8Array<ArrayBuffer>, most_bytes: number): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  let left_bytes = most_bytes;
  try {
    const end = endOf(view);
    let at = view.getUint32(end + 16, true);
    for (let left = view.getUint16(end + 10, true); left > 0; left--) {
      if (view.getUint32(at, true) !== CENTRAL) throw new ZipError("its directory is broken");
      const [kind, packed_bytes] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
      const nameBytes = view.getUint16(at + 28, true);
      const name = new TextDecoder().decode(bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes));
      const local = view.getUint32(at + 42, true);
      const begin = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const content = await opened(bytes.slice(begin, begin + packed_bytes), kind, left_bytes);
      left_bytes -= content.length;
      files.set(name, content);
      at += CENTRAL_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    }
  } catch (error) {
    if (error instanceof RangeError) throw new ZipError("it is cut off");
    throw error;
  }
  return files;
}

function endOf(view: DataView): number {
  const last = view.byteLength - END_BYTES;
  for (let at = last; at >= Math.max(0, last - MOST_AFTER_END); at--) if (view.getUint32(at, true) === END) return at;
  throw new ZipError("it is no ZIP archive");
}

async function opened(packed: Uint8Array<ArrayBuffer>, kind: number, most_bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (kind !== STORED && kind !== DEFLATED) throw new ZipError(`it is packed in a way (${kind}) that is not read here`);
  const stream = new Blob([packed]).stream();
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    // Piece by piece: what claims to be small may be endless.
    const reader = (kind === DEFLATED ? stream.pipeThrough(new DecompressionStream("deflate-raw")) : stream).getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length += next.value.length;
      if (length > most_bytes) throw new ZipError("it is too large");
      pieces.push(next.value);
    }
  } catch (error) {
    if (error instanceof ZipError) throw error;
    throw new ZipError("what it holds is broken");
  }
  const content = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    content.set(piece, at);
    at += piece.length;
  }
  return content;
}
