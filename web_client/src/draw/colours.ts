/** Colours as "#rrggbb", and the ones used last. Pure. */

export const PALETTE = ["#15161a", "#ffffff", "#d8322a", "#ee8a1d", "#f4cf3a", "#2f9e5b", "#2f6fd6", "#7a4a2b"];
export const MAX_RECENT = 8;

export function hex(red: number, green: number, blue: number): string {
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** The newest first, each once, and none that the palette has. */
export function used(recent: readonly string[], colour: string): readonly string[] {
  if (PALETTE.includes(colour) || recent[0] === colour) return recent;
  return [colour, ...recent.filter((other) => other !== colour)].slice(0, MAX_RECENT);
}

/** What was kept by `JSON.stringify`, as far as it is colours. */
export function parseRecent(text: string | null): readonly string[] {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(found)) return [];
    return found.filter((each) => typeof each === "string" && /^#[\da-f]{6}$/.test(each)).slice(0, MAX_RECENT);
  } catch {
    return [];
  }
}
