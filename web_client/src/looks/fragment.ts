/** A preset in the fragment of an address, which browsers never send to a server. Pure. */

import { type Preset, readPreset } from "./presets";

const NAME = "preset";
const MAX_CHARS = 32_000;

/** `#preset=…`: JSON in UTF-8 in base64url (RFC 4648, section 5) without padding. The picture stays here. */
export function fragmentFor({ name, look }: Preset): string {
  const bytes = new TextEncoder().encode(JSON.stringify({ name, look }));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return `#${NAME}=${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** The preset of a fragment; null where there is none, or something else. */
export function presetIn(fragment: string): Preset | null {
  const text = new URLSearchParams(fragment.replace(/^#/, "")).get(NAME);
  if (!text || text.length > MAX_CHARS) return null;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return readPreset(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch {
    return null;
  }
}
