/** The controls of a show: tempo, cues, MIDI and sound. */

import { strings } from "../../languages/strings";
import type { Pictures } from "../../looks/pictures";
import { beatActions, MAX_FADE_BEATS, type Show } from "../../vj/show";
import { Check } from "../widgets/check";
import { NumberOption } from "../widgets/number_option";
import { Select } from "../widgets/select";
import { CuesPart } from "./cues_part";
import { MidiPart, titleOf } from "./midi_part";

export function ShowPanel({ show, pictures }: { show: Show; pictures: Pictures }) {
  return (
    <div class="show">
      <TempoPart show={show} />
      <CuesPart show={show} pictures={pictures} />
      <MidiPart show={show} />
      <SoundPart show={show} />
    </div>
  );
}

function TempoPart({ show }: { show: Show }) {
  const words = strings.show;
  return (
    <section aria-labelledby="show-tempo">
      <h3 id="show-tempo">{words.tempo}</h3>
      {!show.tempo.value && <p class="detail">{words.noTempo}</p>}
      <div class="pair-fields">
        <Select
          label={words.onBeat}
          value={show.beatAction.value}
          options={beatActions.map((action) => [action, words.beatActions[action]])}
          choose={(action) => {
            show.beatAction.value = action;
          }}
        />
        <NumberOption
          label={words.everyBeats}
          value={show.beatsPerAction.value}
          min={1}
          max={64}
          change={(value) => {
            show.beatsPerAction.value = Math.round(value);
          }}
        />
        <NumberOption
          label={words.fadeBeats}
          value={show.beatsPerFade.value}
          max={MAX_FADE_BEATS}
          change={(value) => {
            show.beatsPerFade.value = value;
          }}
        />
      </div>
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
        <button type="button" aria-pressed={isOn.value} onClick={() => void show.sound.toggle()}>
          {isOn.value ? words.stop : words.useSound}
        </button>
        <meter aria-label={words.level} min={0} max={1} value={level.value} />
      </div>
      <Check of={show.pulses} label={words.pulses} />
      {problem.value && (
        <p class="error" role="alert">
          {words.soundProblems[problem.value]}
        </p>
      )}
      <div class="pair-fields">
        <Select
          label={words.moves}
          value={show.soundField.value}
          options={show.numbers.value.map((control) => [control.name, titleOf(control)])}
          choose={(field) => {
            show.soundField.value = field;
          }}
        />
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
