/** Speaks a language: the user's choice, or else the browser's. All but English are loaded when spoken. */

import { signal } from "@preact/signals";
import { kept, oneOf } from "../browser/kept";
import { type Language, languageFor, languages } from "./languages";
import { english, type Strings, useStrings } from "./strings";

const loads: Record<Language, () => Promise<Strings>> = {
  en: async () => english,
  de: async () => (await import("./de")).german,
  fr: async () => (await import("./fr")).french,
};

/** The language that is on the page; who draws it again when this changes has the new words. */
export const language = signal<Language>("en");

const chosen = kept("language", oneOf(languages), languageFor(navigator.languages));

/** Begins with what was chosen. A language that can't be loaded leaves the page in English. */
export async function speakChosen(): Promise<void> {
  await speak(chosen.peek()).catch((error: unknown) => console.warn("this language can't be loaded:", error));
}

export async function speak(wanted: Language): Promise<void> {
  useStrings(await loads[wanted]());
  chosen.value = wanted;
  language.value = wanted;
  document.documentElement.lang = wanted;
}
