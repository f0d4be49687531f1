/** Cuts a multipart/x-mixed-replace body into its pictures. Pure: bytes in, pictures out. */

const HEADER_END = [13, 10, 13, 10];
/** A part that never ends is no picture; without a limit it would eat the memory. */
const MAX_PART_BYTES = 32 * 2 ** 20;

/** The boundary named in a Content-Type; null where it is no multipart stream. */
export function boundaryOf(contentType: string | null): string | null {
  return contentType?.match(/^multipart\/x-mixed-replace\s*;.*boundary="?([^";]+)"?/i)?.[1]?.replace(/^--/, "") ?? null;
}

export class MultipartParser {
  readonly #delimiter: Uint8Array;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(boundary: string) {
    this.#delimiter = new TextEncoder().encode(`--${boundary}`);
  }

  /** Takes the next bytes; returns the parts that they complete. */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer>[] {
    const joined = new Uint8Array(this.#buffer.length + chunk.length);
    joined.set(this.#buffer);
    joined.set(chunk, this.#buffer.length);
    this.#buffer = joined;
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (let part = this.#take(); part; part = this.#take()) parts.push(part);
    if (this.#buffer.length > MAX_PART_BYTES) throw new Error("a part of the stream is too long");
    return parts;
  }

  #take(): Uint8Array<ArrayBuffer> | null {
    const start = find(this.#buffer, this.#delimiter, 0);
    if (start < 0) return null;
    const headerEnd = find(this.#buffer, HEADER_END, start);
    if (headerEnd < 0) return null;
    const header = new TextDecoder().decode(this.#buffer.subarray(start, headerEnd));
    const bodyStart = headerEnd + HEADER_END.length;
    const length = header.match(/content-length:\s*(\d+)/i)?.[1];
    // Without a length the part lasts until the line break before the next delimiter.
    const bodyEnd =
      length === undefined ? find(this.#buffer, this.#delimiter, bodyStart) - 2 : bodyStart + Number(length);
    if (bodyEnd < bodyStart || bodyEnd > this.#buffer.length) return null;
    const body = this.#buffer.slice(bodyStart, bodyEnd);
    this.#buffer = this.#buffer.slice(bodyEnd);
    return body;
  }
}

function find(bytes: Uint8Array, sought: ArrayLike<number>, from: number): number {
  outer: for (let at = from; at <= bytes.length - sought.length; at++) {
    for (let offset = 0; offset < sought.length; offset++) {
      if (bytes[at + offset] !== sought[offset]) continue outer;
    }
    return at;
  }
  return -1;
}
