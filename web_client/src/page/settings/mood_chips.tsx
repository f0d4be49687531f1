/** Chips for the moods that the model was made for, and what changes a prompt's phrases. */

import { strings } from "../../languages/strings";
import { blendOf, heaviestOf, withText } from "../../looks/blend";
import { includesPhrase, promptText, toggleMood } from "../../params/styles";
import type { Client } from "../../studio/client";

/** The text whose phrases are shown and changed: the prompt, or of a blend the text that is seen most. */
export function seenText(client: Client): { text: string; edit: (changed: string) => void } {
  const prompt = client.params.shown.value.prompt;
  const blend = blendOf(prompt);
  const at = blend ? heaviestOf(blend) : 0;
  return {
    text: blend?.[at]?.text ?? promptText(prompt),
    edit: (changed) => client.params.edit("prompt", blend ? withText(blend, at, changed) : changed, "sliding"),
  };
}

export function MoodChips({ client }: { client: Client }) {
  const { moods = [] } = client.server.styles.value;
  const { text, edit } = seenText(client);
  if (moods.length === 0) return null;
  return (
    <div class="chips" role="group" aria-label={strings.panel.moods}>
      <span class="chips-title">{strings.panel.moods}</span>
      {moods.map((mood) => (
        <button
          key={mood.name}
          type="button"
          class="chip"
          aria-pressed={includesPhrase(text, mood)}
          onClick={() => edit(toggleMood(text, mood))}
        >
          {strings.panel.phrases[mood.name] ?? mood.name}
        </button>
      ))}
    </div>
  );
}
