/** Lists the kinds of video that a browser records, the most useful first. Pure. */

export interface RecordingType {
  mimeType: string;
  extension: "mp4" | "webm";
}

const wanted: RecordingType[] = [
  { mimeType: "video/mp4;codecs=avc1.640028", extension: "mp4" },
  { mimeType: "video/mp4;codecs=avc1.42E01E", extension: "mp4" },
  { mimeType: "video/webm;codecs=vp9", extension: "webm" },
  { mimeType: "video/webm;codecs=vp8", extension: "webm" },
  { mimeType: "video/webm", extension: "webm" },
];

/** One for each kind of file; empty where nothing can be recorded. */
export function recordingTypes(isSupported: (mimeType: string) => boolean): RecordingType[] {
  const found = new Map<string, RecordingType>();
  for (const type of wanted)
    if (!found.has(type.extension) && isSupported(type.mimeType)) found.set(type.extension, type);
  return [...found.values()];
}

/** `1:05` */
export function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function sizeText(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
