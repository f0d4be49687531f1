/** The part of a deck's video that plays: its points on a bar, its speed, and whether it plays again and again. */

import { clockText } from "../../keep/recording_types";
import { strings } from "../../languages/strings";
import type { DeckName, Decks } from "../../sources/decks";
import { speeds, type Trim } from "../../sources/trim";
import { IconButton } from "../widgets/icon_button";

const STEP_S = 0.05;

export function TrimBar({ decks, name }: { decks: Decks; name: DeckName }) {
  const words = strings.decks;
  const { file } = decks[name];
  const length_s = file.duration_s.value;
  const trim = decks.trimmers[name].trim.value;
  const out_s = trim.out_s ?? length_s;
  const change = (change: Partial<Trim>) => decks.trim(name, change);
  const point = (label: string, kind: string, value: number, set: (seconds: number) => void) => (
    <input
      type="range"
      class={kind}
      aria-label={label}
      aria-valuetext={`${value.toFixed(2)} s`}
      title={`${label}: ${clockText(value * 1000)}`}
      min={0}
      max={length_s}
      step={STEP_S}
      value={value}
      onInput={(event) => set(event.currentTarget.valueAsNumber)}
    />
  );
  return (
    <div class="trim">
      <div
        class="timeline"
        style={{ "--in": trim.in_s / (length_s || 1), "--out": length_s ? out_s / length_s : 1 }}
      >
        {point(strings.source.position, "position", file.position_s.value, (to_s) => file.seek(to_s))}
        {point(words.in, "in", trim.in_s, (in_s) => change({ in_s }))}
        {point(words.out, "out", out_s, (to_s) => change({ out_s: to_s }))}
      </div>
      <select
        aria-label={words.speed}
        title={words.speed}
        value={trim.speed}
        onChange={(event) => change({ speed: Number(event.currentTarget.value) })}
      >
        {speeds.map((speed) => (
          <option key={speed} value={speed}>
            ×{speed}
          </option>
        ))}
      </select>
      <IconButton
        icon="renew"
        label={strings.show.loop}
        isPressed={trim.loops}
        press={() => {
          change({ loops: !trim.loops });
        }}
      />
    </div>
  );
}
