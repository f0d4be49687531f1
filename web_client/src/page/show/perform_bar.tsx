/** The line along the bottom: the pads, how long changes take, the beat, and learning knobs. Loaded when the page has begun. */

import { useEffect } from "preact/hooks";
import { addressOfJpeg } from "../../browser/thumbnail";
import { strings } from "../../languages/strings";
import { MAX_TRANSITION_S, transitionOf } from "../../looks/look";
import type { Preset } from "../../looks/presets";
import type { Studio } from "../../studio/studio";
import { fadeUnits, MAX_FADE_BEATS, type Show } from "../../vj/show";
import { MAX_BPM, MIN_BPM } from "../../vj/tempo";
import { Icon } from "../widgets/icons";
import { useTextOf } from "../widgets/text_of";
import { bindLearning } from "./learning";
import { titleOfTarget } from "./midi_part";

const KEYS = 9;

export function PerformBar({ studio, show }: { studio: Studio; show: Show }) {
  return (
    <section class="perform" aria-label={strings.perform.title}>
      <Pads studio={studio} />
      <div class="timing">
        <Fade show={show} />
        <Beat show={show} />
        <Learn show={show} />
      </div>
    </section>
  );
}

function Pads({ studio }: { studio: Studio }) {
  const { looks } = studio;
  const words = strings.presets;
  const presets = looks.presets.value;
  return (
    <div class="pads" role="group" aria-label={words.title}>
      {presets.map((preset, index) => (
        <Pad
          key={preset.name}
          preset={preset}
          index={index}
          isOn={looks.called.value === preset.name}
          press={(event) => (event.shiftKey ? looks.overwrite(index) : looks.call(index))}
        />
      ))}
      <Empty number={presets.length + 1} press={studio.actions.saveLook} />
    </div>
  );
}

function Empty({ number, press }: { number: number; press: () => void }) {
  const name = strings.perform.saveOn(number);
  return (
    <button type="button" class="pad add" aria-label={name} title={name} onClick={press}>
      <Icon name="plus" />
      {number <= KEYS && <kbd>{number}</kbd>}
    </button>
  );
}

interface PadProps {
  preset: Preset;
  index: number;
  isOn: boolean;
  press: (event: MouseEvent) => void;
}

function Pad({ preset: { name, look, picture }, index, isOn, press }: PadProps) {
  const own_s = transitionOf(look);
  return (
    <button
      type="button"
      class="pad"
      aria-pressed={isOn}
      title={strings.perform.padHint(name)}
      data-midi={`preset ${index + 1}`}
      onClick={press}
    >
      {picture && <img src={addressOfJpeg(picture)} alt="" />}
      {index < KEYS && <kbd>{index + 1}</kbd>}
      {own_s !== undefined && <span class="pad-time">{own_s} s</span>}
      <span class="pad-name">{name}</span>
    </button>
  );
}

/** How long every change takes that has no time of its own. */
function Fade({ show }: { show: Show }) {
  const words = strings.perform;
  const unit = show.fadeUnit.value;
  const text = useTextOf<HTMLInputElement>(String(show.fade), String(show.fade), () => {});
  return (
    <div class="fade" role="group" aria-label={words.fade} title={words.fadeHint}>
      <label class="timing-name" for="fade">
        {words.fade}
      </label>
      <input
        id="fade"
        type="number"
        min={0}
        max={unit === "beats" ? MAX_FADE_BEATS : MAX_TRANSITION_S}
        step="any"
        {...text}
        onChange={(event) => show.setFade(Math.max(0, event.currentTarget.valueAsNumber || 0))}
      />
      <div class="segmented">
        {fadeUnits.map((each) => (
          <button key={each} type="button" aria-pressed={unit === each} onClick={() => show.setFadeUnit(each)}>
            {words.units[each]}
          </button>
        ))}
      </div>
    </div>
  );
}

function Beat({ show }: { show: Show }) {
  const words = strings.perform;
  const [tempo, beat] = [show.tempo.value, show.beat.value];
  const bpm = tempo ? String(Number(tempo.bpm.toFixed(1))) : "";
  const text = useTextOf<HTMLInputElement>(bpm, bpm, () => {});
  const small = (name: string, sign: string, press: () => void) => (
    <button type="button" aria-label={`${sign} ${name}`} title={name} disabled={!tempo} onClick={press}>
      {sign}
    </button>
  );
  return (
    <div class="beat" role="group" aria-label={strings.show.tempo}>
      <button
        type="button"
        class="tap-pad"
        title={`${strings.show.tap} (T)`}
        aria-label={strings.show.tap}
        data-midi="tap"
        onClick={() => show.tap()}
      >
        {/* A new one for each beat, so that its flash begins again. */}
        <span key={beat ?? "none"} class="light" data-beat={beat === null ? "none" : beat % 4 === 0 ? "first" : "other"} />
        {strings.show.tap}
      </button>
      <input
        type="number"
        aria-label={words.bpm}
        title={show.controller.hearsClock.value ? words.byClock : words.bpm}
        min={MIN_BPM}
        max={MAX_BPM}
        step="any"
        placeholder="bpm"
        {...text}
        onChange={(event) => {
          const typed = event.currentTarget.valueAsNumber;
          if (Number.isNaN(typed)) show.tempo.value = null;
          else show.setBpm(typed);
        }}
      />
      <div class="segmented">
        {small(words.halve, "÷2", () => show.scaleTempo(0.5))}
        {small(words.double, "×2", () => show.scaleTempo(2))}
        {small(words.resync, "⟲", () => show.resync())}
      </div>
    </div>
  );
}

/** Chooses knobs: a click on any control, then a turn of the knob. */
function Learn({ show }: { show: Show }) {
  const words = strings.perform;
  const { controller } = show;
  const isLearning = controller.isLearning.value;
  const learns = controller.learns.value;
  useEffect(() => (isLearning ? bindLearning(controller, document) : undefined), [isLearning]);
  return (
    <>
      <button type="button" class="learn" aria-pressed={isLearning} title={words.learnHint} onClick={() => void controller.toggleLearning()}>
        {words.learn}
      </button>
      {isLearning && (
        <p class="learning" role="status">
          {learns === null ? words.chooseControl : words.turnKnob(titleOfTarget(show, learns))}
        </p>
      )}
    </>
  );
}
