/** Chips for the styles and moods that the model was made for. */

import { strings } from "../../languages/strings";
import { includesPhrase, promptText, setStyle, toggleMood } from "../../params/styles";
import type { Phrase } from "../../protocol";
import type { Client } from "../../studio/client";

export function StyleChips({ client }: { client: Client }) {
  const { styles = [], moods = [] } = client.server.styles.value;
  const prompt = client.params.shown.value.prompt;
  // A blend of prompts has no words to replace: its chips start a new prompt.
  const text = typeof prompt === "string" ? prompt : "";
  const edit = (changed: string) => client.params.edit("prompt", changed, "sliding");
  return (
    <>
      <Chips
        title={strings.panel.styles}
        phrases={styles}
        prompt={promptText(prompt)}
        press={(style) => edit(setStyle(text, style, styles))}
      />
      <Chips
        title={strings.panel.moods}
        phrases={moods}
        prompt={promptText(prompt)}
        press={(mood) => edit(toggleMood(text, mood))}
      />
    </>
  );
}

interface ChipsProps {
  title: string;
  phrases: Phrase[];
  prompt: string;
  press: (phrase: Phrase) => void;
}

function Chips({ title, phrases, prompt, press }: ChipsProps) {
  if (phrases.length === 0) return null;
  return (
    <div class="chips" role="group" aria-label={title}>
      <span class="chips-title">{title}</span>
      {phrases.map((phrase) => (
        <button
          key={phrase.name}
          type="button"
          class="chip"
          aria-pressed={includesPhrase(prompt, phrase)}
          onClick={() => press(phrase)}
        >
          {phrase.name}
        </button>
      ))}
    </div>
  );
}
