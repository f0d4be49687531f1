/** The controls of a show: tempo, cues, MIDI and sound. */

import type { Signal } from "@preact/signals";
import { strings } from "../../languages/strings";
import type { Pictures } from "../../looks/pictures";
import { type Band, bands } from "../../vj/modulation";
import { beatActions, MAX_FADE_BEATS, MAX_GAIN, type Show } from "../../vj/show";
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
  const { isOn, problem, devices, deviceId } = show.sound;
  return (
    <section aria-labelledby="show-sound">
      <h3 id="show-sound">{words.sound}</h3>
      <div class="tools">
        <button type="button" aria-pressed={isOn.value} onClick={() => void show.sound.toggle()}>
          {isOn.value ? words.stop : words.useSound}
        </button>
        {devices.value.length > 0 && (
          <select
            class="grow"
            aria-label={words.soundDevice}
            title={words.soundDevice}
            value={deviceId.value}
            onChange={(event) => void show.sound.choose(event.currentTarget.value)}
          >
            {devices.value.map((device, index) => (
              <option key={device.deviceId} value={device.deviceId}>
                {device.label || index + 1}
              </option>
            ))}
          </select>
        )}
      </div>
      <Check of={show.pulses} label={words.pulses} />
      {problem.value && (
        <p class="error" role="alert">
          {words.soundProblems[problem.value]}
        </p>
      )}
      {bands.map((band) => (
        <RoutePart key={band} show={show} band={band} />
      ))}
    </section>
  );
}

/** What a part of the sound moves. */
function RoutePart({ show, band }: { show: Show; band: Band }) {
  const words = strings.show;
  const { field, amount, gain } = show.routes[band];
  const name = words.bands[band];
  const slider = (title: string, of: Signal<number>, min: number, max: number) => (
    <label class="option">
      <span>{title}</span>
      <input
        type="range"
        aria-label={`${title}: ${name}`}
        aria-valuetext={String(of.value)}
        title={String(of.value)}
        min={min}
        max={max}
        step={0.05}
        value={of.value}
        onInput={(event) => {
          of.value = event.currentTarget.valueAsNumber;
        }}
      />
    </label>
  );
  return (
    <div class="route" role="group" aria-label={name}>
      <div class="label-row">
        <b>{name}</b>
        <meter aria-label={`${words.level}: ${name}`} min={0} max={1} value={show.sound.levels.value[band]} />
      </div>
      <Select
        label={words.moves}
        value={field.value}
        options={[["", words.beatActions.nothing], ...show.numbers.value.map((one) => [one.name, titleOf(one)] as const)]}
        choose={(chosen) => {
          field.value = chosen;
        }}
      />
      {slider(words.amount, amount, -1, 1)}
      {slider(words.gain, gain, 0, MAX_GAIN)}
    </div>
  );
}
