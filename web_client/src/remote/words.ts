/** What the remote says. A page of its own: a phone loads neither the studio nor its languages for ten words. */

import { languageFor } from "../languages/languages";

export interface RemoteWords {
  language: string;
  connecting: string;
  prompt: string;
  strength: string;
  output: string;
  on_air: string;
  bypass: string;
  black: string;
  more: string;
  freeze: string;
  seed: string;
}

const english: RemoteWords = {
  language: "en",
  connecting: "Connecting …",
  prompt: "Prompt",
  strength: "Strength",
  output: "What is seen",
  on_air: "On air",
  bypass: "Input",
  black: "Black",
  more: "More",
  freeze: "Freeze",
  seed: "New seed",
};

const german: RemoteWords = {
  language: "de",
  connecting: "Verbinden …",
  prompt: "Prompt",
  strength: "Stärke",
  output: "Was zu sehen ist",
  on_air: "Auf Sendung",
  bypass: "Eingabe",
  black: "Schwarz",
  more: "Mehr",
  freeze: "Anhalten",
  seed: "Neuer Seed",
};

const french: RemoteWords = {
  language: "fr",
  connecting: "Connexion …",
  prompt: "Prompt",
  strength: "Force",
  output: "Ce que l’on voit",
  on_air: "À l’antenne",
  bypass: "Entrée",
  black: "Noir",
  more: "Plus",
  freeze: "Figer",
  seed: "Nouvelle graine",
};

export function wordsFor(preferred: readonly string[]): RemoteWords {
  return { en: english, de: german, fr: french }[languageFor(preferred)];
}
