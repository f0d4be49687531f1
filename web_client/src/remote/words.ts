/** What the remote says. A page of its own: a phone loads neither the studio nor its languages for ten words. */

import { languageFor } from "../languages/languages";

export interface RemoteWords {
  language: string;
  connecting: string;
  prompt: string;
  strength: string;
  output: string;
  bypass: string;
  panic: string;
  pads: string;
  noPads: string;
  weight: string;
  more: string;
  freeze: string;
  seed: string;
  unsafe: string;
  unchecked: string;
}

const english: RemoteWords = {
  language: "en",
  connecting: "Connecting …",
  prompt: "Prompt",
  strength: "Strength",
  output: "What is seen",
  bypass: "Input",
  panic: "Panic",
  pads: "Pads",
  noPads: "Looks that are saved in the studio are pads here.",
  weight: "Weight",
  more: "More",
  freeze: "Freeze",
  seed: "New seed",
  unsafe: "Held: the frame checker takes the picture for unsafe.",
  unchecked: "Held: the frame checker fails.",
};

const german: RemoteWords = {
  language: "de",
  connecting: "Verbinden …",
  prompt: "Prompt",
  strength: "Stärke",
  output: "Was zu sehen ist",
  bypass: "Eingabe",
  panic: "Panik",
  pads: "Pads",
  noPads: "Was im Studio gespeichert wird, liegt hier auf Pads.",
  weight: "Gewicht",
  more: "Mehr",
  freeze: "Anhalten",
  seed: "Neuer Seed",
  unsafe: "Angehalten: Die Bildprüfung hält das Bild für anstößig.",
  unchecked: "Angehalten: Die Bildprüfung schlägt fehl.",
};

const french: RemoteWords = {
  language: "fr",
  connecting: "Connexion …",
  prompt: "Prompt",
  strength: "Intensité",
  output: "Ce que l’on voit",
  bypass: "Entrée",
  panic: "Panique",
  pads: "Pads",
  noPads: "Les aspects enregistrés dans le studio sont des pads ici.",
  weight: "Poids",
  more: "Plus",
  freeze: "Figer",
  seed: "Nouvelle graine",
  unsafe: "Retenue : le contrôle d’images juge l’image inappropriée.",
  unchecked: "Retenue : le contrôle d’images échoue.",
};

export function wordsFor(preferred: readonly string[]): RemoteWords {
  return { en: english, de: german, fr: french }[languageFor(preferred)];
}
