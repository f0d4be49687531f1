/** Which knob moves what: one line for each setting, action and preset. */

import { Icon } from "../icons";
import { strings } from "../strings";
import type { Studio } from "../studio";
import { actions, type Show } from "./show";

const MIDI_PRESETS = 9;

/** What a setting is called, in the language of the page where that has a word for it. */
export function titleOf(show: Show, name: string): string {
  return strings.fields[name]?.title ?? show.numbers.find((control) => control.name === name)?.title ?? name;
}

export function MidiPart({ studio, show }: { studio: Studio; show: Show }) {
  const words = strings.show;
  const state = show.midiState.value;
  const presets = studio.looks.presets.value.slice(0, MIDI_PRESETS);
  const targets: [string, string][] = [
    ...show.numbers.map(({ name }): [string, string] => [name, titleOf(show, name)]),
    ...actions.map((action): [string, string] => [action, words.actions[action]]),
    ...presets.map(({ name }, index): [string, string] => [`preset ${index + 1}`, name]),
  ];
  const keys = new Map(Object.entries(show.bindings.value).map(([key, target]) => [target, key]));
  return (
    <section aria-labelledby="show-midi">
      <h3 id="show-midi">MIDI</h3>
      {state !== "on" && (
        <>
          <button type="button" onClick={() => void show.useMidi()}>
            {words.useMidi}
          </button>
          {state !== "off" && (
            <p class="error" role="alert">
              {words.midiProblems[state]}
            </p>
          )}
        </>
      )}
      {state === "on" && (
        <ul class="midi">
          {targets.map(([target, title]) => (
            <li key={target}>
              <span>{title}</span>
              <button
                type="button"
                class="small"
                aria-label={words.learn(title)}
                aria-pressed={show.learns.value === target}
                onClick={() => {
                  show.learns.value = show.learns.value === target ? null : target;
                }}
              >
                {show.learns.value === target ? words.learning : (keys.get(target) ?? words.learnShort)}
              </button>
              <button
                type="button"
                class="icon-only quiet"
                aria-label={words.forget(title)}
                title={words.forget(title)}
                disabled={!keys.has(target)}
                onClick={() => show.forget(target)}
              >
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
