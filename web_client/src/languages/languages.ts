/** Lists the languages, and finds the one that suits. Pure. */

export const languages = ["en", "de", "fr"] as const;
export type Language = (typeof languages)[number];

/** Each in its own words, for those who have the wrong one before them. */
export const languageNames: Record<Language, string> = { en: "English", de: "Deutsch", fr: "Français" };

/** The first of the preferred languages, as browsers tag them, that there is. */
export function languageFor(preferred: readonly string[]): Language {
  const roots = preferred.map((tag) => tag.split("-")[0]?.toLowerCase());
  return roots.map((root) => languages.find((each) => each === root)).find((found) => found !== undefined) ?? "en";
}
