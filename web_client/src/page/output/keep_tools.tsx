/** The recording's button with its choices, and the strip to scrub through the last half minute. */

import { useSignal } from "@preact/signals";
import { clockText, sizeText } from "../../keep/recording_types";
import { strings } from "../../languages/strings";
import type { Studio } from "../../studio/studio";
import { Icon } from "../widgets/icons";

export function RecordingTools({ studio: { recorder, view } }: { studio: Studio }) {
  const words = strings.keep;
  const kind = useSignal(0);
  const progress = recorder.progress.value;
  const type = recorder.types[kind.value];
  if (!type) return <p class="detail">{words.noRecorder}</p>;
  if (progress) {
    return (
      <button type="button" class="recording" onClick={() => recorder.stop()}>
        <Icon name="stop" />
        <span>
          {words.stop} {clockText(progress.ms)} · {sizeText(progress.bytes)}
        </span>
      </button>
    );
  }
  return (
    <div class="segmented record">
      <button type="button" data-midi="record" onClick={() => recorder.start(type, view.recordsBoth.value)}>
        <Icon name="record" />
        <span>{words.record}</span>
      </button>
      <select
        aria-label={words.what}
        title={words.what}
        value={`${kind.value} ${view.recordsBoth.value}`}
        onChange={(event) => {
          const [index, both] = event.currentTarget.value.split(" ");
          kind.value = Number(index);
          view.recordsBoth.value = both === "true";
        }}
      >
        {[false, true].map((both) =>
          recorder.types.map(({ extension }, index) => (
            <option key={`${extension}${both}`} value={`${index} ${both}`}>
              {both ? words.both : words.output}, {extension.toUpperCase()}
            </option>
          )),
        )}
      </select>
    </div>
  );
}

export function RewindStrip({ studio }: { studio: Studio }) {
  const { keep, looks } = studio;
  const words = strings.keep;
  const moments = keep.moments.value;
  const moment = moments?.[keep.index.value];
  if (!moments || !moment) return null;
  const newest_ms = moments.at(-1)?.at_ms ?? 0;
  const ago = words.ago(((newest_ms - moment.at_ms) / 1000).toFixed(1));
  return (
    <div class="rewind" role="group" aria-label={words.rewind}>
      <input
        type="range"
        aria-label={words.scrub}
        aria-valuetext={ago}
        min={0}
        max={moments.length - 1}
        value={keep.index.value}
        onInput={(event) => void keep.scrubTo(event.currentTarget.valueAsNumber)}
      />
      <span class="detail">{ago}</span>
      <button type="button" onClick={() => void keep.saveSnapshot()}>
        <Icon name="snapshot" />
        {words.saveMoment}
      </button>
      <button
        type="button"
        onClick={() => {
          if (moment.params) looks.apply(moment.params);
          keep.toggleRewind();
        }}
      >
        <Icon name="undo" />
        {words.useLook}
      </button>
      <button type="button" onClick={() => keep.toggleRewind()}>
        <Icon name="play" />
        {words.live}
      </button>
    </div>
  );
}
