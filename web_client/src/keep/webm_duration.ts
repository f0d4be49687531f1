/**
 * Writes its length into a WebM that a browser's recorder made: without it players can't jump, and show no length.
 * Source: RFC 8794 (EBML), RFC 9559 (Matroska). Knows the file's head only, not its pictures.
 */

const Id = { ebml: 0x1a45dfa3, segment: 0x18538067, info: 0x1549a966, timestampScale: 0x2ad7b1, duration: 0x4489 } as const;
/** The head is a few hundred bytes; what is not there by then is not there. */
const HEAD_BYTES = 64 * 1024;
const DEFAULT_SCALE_NS = 1_000_000;
const SIZE_BYTES = 8;

interface Element {
  id: number;
  /** Where it, what it holds and what comes after it begin; `end` is null where the size is said to be unknown. */
  start: number;
  body: number;
  end: number | null;
}

/** The same file with its length in it; the file itself where it has one, or is of another form than recorders write. */
export async function withDuration(webm: Blob, duration_ms: number): Promise<Blob> {
  const head = new Uint8Array(await webm.slice(0, HEAD_BYTES).arrayBuffer());
  const info = recordersInfo(head);
  if (!info) return webm;
  const inside = head.subarray(info.body, info.end);
  const body = new Uint8Array([...inside, ...durationElement(duration_ms, scaleOf(inside))]);
  return new Blob([head.slice(0, info.start), idAndSize(Id.info, body.length), body, webm.slice(info.end)], {
    type: webm.type,
  });
}

/**
 * The segment's info where nothing stands in the way of making it longer: the segment has no size, and nothing before
 * the info says where things are. Null otherwise, and where there is a length already.
 */
function recordersInfo(head: Uint8Array): (Element & { end: number }) | null {
  const [ebml, segment] = childrenOf(head, 0);
  if (ebml?.id !== Id.ebml || segment?.id !== Id.segment || segment.end !== null) return null;
  const [info] = childrenOf(head, segment.body);
  if (info?.id !== Id.info || info.end === null || info.end > head.length) return null;
  const hasDuration = childrenOf(head.subarray(info.body, info.end), 0).some(({ id }) => id === Id.duration);
  return hasDuration ? null : { ...info, end: info.end };
}

function scaleOf(info: Uint8Array): number {
  const scale = childrenOf(info, 0).find(({ id }) => id === Id.timestampScale);
  return scale?.end ? numberAt(info, scale.body, scale.end - scale.body) : DEFAULT_SCALE_NS;
}

/** The elements that follow each other from `at` on, as far as they are within the bytes. */
function childrenOf(bytes: Uint8Array, at: number): Element[] {
  const found: Element[] = [];
  for (let start: number | null = at; start !== null && start < bytes.length; ) {
    const element = elementAt(bytes, start);
    if (!element) break;
    found.push(element);
    start = element.end;
  }
  return found;
}

function elementAt(bytes: Uint8Array, start: number): Element | null {
  const idLength = lengthAt(bytes, start);
  const sizeLength = idLength && lengthAt(bytes, start + idLength);
  if (!idLength || !sizeLength || start + idLength + sizeLength > bytes.length) return null;
  const body = start + idLength + sizeLength;
  const marked = numberAt(bytes, start + idLength, sizeLength);
  const size = marked - 2 ** (7 * sizeLength);
  const isUnknown = size === 2 ** (7 * sizeLength) - 1;
  return { id: numberAt(bytes, start, idLength), start, body, end: isUnknown ? null : body + size };
}

/** Of a number whose first set bit says how many bytes it has, 1 to 8; 0 where there is none. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  return first ? Math.clz32(first) - 23 : 0;
}

/** Big-endian; exact up to 2^53, and what is larger is not looked for. */
function numberAt(bytes: Uint8Array, at: number, length: number): number {
  return bytes.subarray(at, at + length).reduce((value, byte) => value * 256 + byte, 0);
}

function idAndSize(id: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + SIZE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, id);
  // The first byte's last bit says that seven more follow.
  view.setBigUint64(4, (1n << 56n) | BigInt(size));
  return bytes;
}

/** A duration is a float in units of the timestamps' scale. */
function durationElement(duration_ms: number, scale_ns: number): Uint8Array {
  const bytes = new Uint8Array(3 + 8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Id.duration);
  view.setUint8(2, 0x80 | 8);
  view.setFloat64(3, (duration_ms * 1e6) / scale_ns);
  return bytes;
}
