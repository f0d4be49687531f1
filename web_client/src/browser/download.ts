/** Hands a file to the browser's downloads. Doesn't know what is in it. */

import type { Clock } from "./clock";

/** The download reads the address after the click has returned. */
const ADDRESS_LIVES_MS = 10_000;

/** `realtime-2026-01-31T12-00-00.png` */
export function fileName(what: string, extension: string): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return `${what}-${time}.${extension}`;
}

export function download(blob: Blob, name: string, clock: Clock): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  clock.after(ADDRESS_LIVES_MS, () => URL.revokeObjectURL(link.href));
}
