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

const COLOUR = /^#[\da-f]{6}$/;

export function readColour(value: unknown): string | null {
  return typeof value === "string" && COLOUR.test(value) ? value : null;
}

/** Of what was kept, what is colours. */
export function readRecent(value: unknown): readonly string[] | null {
  if (!Array.isArray(value)) return null;
  return value.filter((each) => readColour(each) !== null).slice(0, MAX_RECENT);
}
