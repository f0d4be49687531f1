/** The controls of a show: tempo, cues, MIDI and sound. */

import { Icon } from "../icons";
import { strings } from "../strings";
import type { Studio } from "../studio";
import { promptText } from "../styles";
import { type Cue, seconds } from "./cues";
import { actions, beatActions, type Show } from "./show";

const MIDI_PRESETS = 9;

export function ShowPanel({ studio, show }: { studio: Studio; show: Show }) {
  return (
    <div class="show">
      <TempoPart show={show} />
      <CuesPart show={show} />
      <MidiPart studio={studio} show={show} />
      <SoundPart show={show} />
    </div>
  );
}

function titleOf(show: Show, name: string): string {
  return strings.fields[name]?.title ?? show.numbers.find((control) => control.name === name)?.title ?? name;
}

function TempoPart({ show }: { show: Show }) {
  const words = strings.show;
  const tempo = show.tempo.value;
  return (
    <section aria-labelledby="show-tempo">
      <h3 id="show-tempo">{words.tempo}</h3>
      <div class="tools">
        <button
          type="button"
          class="tap"
          data-beat={show.beat.value !== null && show.beat.value % 2 === 0}
          title={`${words.tap} (T)`}
          onClick={() => show.tap()}
        >
          {words.tap}
        </button>
        <span class="figure">{tempo ? words.bpm(tempo.bpm.toFixed(1)) : words.noTempo}</span>
        {tempo && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              show.tempo.value = null;
            }}
          >
            {words.stop}
          </button>
        )}
      </div>
      <div class="pair-fields">
        <label class="option">
          <span>{words.onBeat}</span>
          <select
            value={show.beatAction.value}
            onChange={(event) => {
              show.beatAction.value = beatActions[event.currentTarget.selectedIndex] ?? "nothing";
            }}
          >
            {beatActions.map((action) => (
              <option key={action} value={action}>
                {words.beatActions[action]}
              </option>
            ))}
          </select>
        </label>
        <NumberOption
          label={words.everyBeats}
          value={show.beatsPerAction.value}
          min={1}
          max={64}
          change={(value) => {
            show.beatsPerAction.value = Math.round(value);
          }}
        />
      </div>
    </section>
  );
}

function CuesPart({ show }: { show: Show }) {
  const words = strings.show;
  const change = (index: number, cue: Partial<Cue>) => {
    show.cues.value = show.cues.value.map((each, at) => (at === index ? { ...each, ...cue } : each));
  };
  return (
    <section aria-labelledby="show-cues">
      <h3 id="show-cues">{words.cues}</h3>
      <ol class="cues">
        {show.cues.value.map(({ prompt, fade_s, hold_s }, index) => (
          <li key={index} data-on={show.cue.value === index} aria-current={show.cue.value === index}>
            <input
              type="text"
              aria-label={words.cuePrompt(index + 1)}
              value={promptText(prompt)}
              onChange={(event) => change(index, { prompt: event.currentTarget.value })}
            />
            <NumberOption label={words.fade} value={fade_s} max={3600} change={(s) => change(index, { fade_s: s })} />
            <NumberOption label={words.hold} value={hold_s} max={3600} change={(s) => change(index, { hold_s: s })} />
            <button
              type="button"
              class="icon-only quiet"
              aria-label={words.removeCue(index + 1)}
              title={words.removeCue(index + 1)}
              onClick={() => {
                show.cues.value = show.cues.value.filter((_, at) => at !== index);
              }}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ol>
      <div class="tools">
        <button type="button" onClick={() => show.addCue()}>
          <Icon name="plus" />
          {words.addCue}
        </button>
        <button
          type="button"
          disabled={show.cues.value.length === 0}
          aria-pressed={show.isPlaying.value}
          onClick={() => (show.isPlaying.value ? show.stop() : show.play())}
        >
          <Icon name={show.isPlaying.value ? "stop" : "play"} />
          {show.isPlaying.value ? words.stop : words.play}
        </button>
        <label class="inline">
          <input
            type="checkbox"
            checked={show.loops.value}
            onChange={(event) => {
              show.loops.value = event.currentTarget.checked;
            }}
          />
          {words.loop}
        </label>
      </div>
    </section>
  );
}

function MidiPart({ studio, show }: { studio: Studio; show: Show }) {
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

function SoundPart({ show }: { show: Show }) {
  const words = strings.show;
  const { isOn, level, problem } = show.sound;
  return (
    <section aria-labelledby="show-sound">
      <h3 id="show-sound">{words.sound}</h3>
      <div class="tools">
        <button type="button" aria-pressed={isOn.value} onClick={() => void show.useSound()}>
          {isOn.value ? words.stop : words.useSound}
        </button>
        <meter aria-label={words.level} min={0} max={1} value={level.value} />
      </div>
      {problem.value && (
        <p class="error" role="alert">
          {words.soundProblems[problem.value]}
        </p>
      )}
      <div class="pair-fields">
        <label class="option">
          <span>{words.moves}</span>
          <select
            value={show.soundField.value}
            onChange={(event) => {
              show.soundField.value = event.currentTarget.value;
            }}
          >
            {show.numbers.map(({ name }) => (
              <option key={name} value={name}>
                {titleOf(show, name)}
              </option>
            ))}
          </select>
        </label>
        <label class="option">
          <span>{words.amount}</span>
          <input
            type="range"
            min={-1}
            max={1}
            step={0.05}
            value={show.soundAmount.value}
            onInput={(event) => {
              show.soundAmount.value = event.currentTarget.valueAsNumber;
            }}
          />
        </label>
      </div>
    </section>
  );
}

interface NumberOptionProps {
  label: string;
  value: number;
  min?: number;
  max: number;
  change: (value: number) => void;
}

function NumberOption({ label, value, min = 0, max, change }: NumberOptionProps) {
  return (
    <label class="option">
      <span>{label}</span>
      <input
        type="number"
        min={min}
        max={max}
        step="any"
        value={value}
        onChange={(event) => change(Math.max(min, Math.min(max, seconds(event.currentTarget.valueAsNumber))))}
      />
    </label>
  );
}
