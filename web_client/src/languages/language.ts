/** Speaks a language: the user's choice, or else the browser's. It alone is loaded. */

import { signal } from "@preact/signals";
import { kept, oneOf } from "../browser/kept";
import { type Language, languageFor, languages } from "./languages";
import { type Strings, useStrings } from "./strings";

const loads: Record<Language, () => Promise<Strings>> = {
  en: async () => (await import("./en")).english,
  de: async () => (await import("./de")).german,
  fr: async () => (await import("./fr")).french,
};

/** The language that is on the page; who draws it again when this changes has the new words. */
export const language = signal<Language>("en");

const chosen = kept("language", oneOf(languages), languageFor(navigator.languages));

/** Begins with what was chosen. Where that can't be loaded the page is in English. */
export async function speakChosen(): Promise<void> {
  await speak(chosen.peek()).catch(async (error: unknown) => {
    console.warn("this language can't be loaded:", error);
    useStrings(await loads.en());
  });
}

export async function speak(wanted: Language): Promise<void> {
  useStrings(await loads[wanted]());
  chosen.value = wanted;
  language.value = wanted;
  document.documentElement.lang = wanted;
}
