/** Chips for the moods that the model was made for. */

import { strings } from "../../languages/strings";
import { seenText, withSeenText } from "../../looks/blend";
import { includesPhrase, toggleMood } from "../../params/styles";
import type { Client } from "../../studio/client";

export function MoodChips({ client }: { client: Client }) {
  const { moods = [] } = client.server.styles.value;
  const { prompt } = client.params.shown.value;
  const text = seenText(prompt);
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
          onClick={() => client.params.edit("prompt", withSeenText(prompt, toggleMood(text, mood)), "sliding")}
        >
          {strings.panel.phrases[mood.name] ?? mood.name}
        </button>
      ))}
    </div>
  );
}
