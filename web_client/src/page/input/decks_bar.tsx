/** The line of the decks: what is on each, the crossfader between them, and the clips. Loaded when it is first opened. */

import { useEffect, useRef } from "preact/hooks";
import { loadStyles } from "../../browser/style_sheet";
import { strings } from "../../languages/strings";
import { fadeModes } from "../../sources/crossfade";
import type { DeckName, Decks } from "../../sources/decks";
import type { Studio } from "../../studio/studio";
import { IconButton } from "../widgets/icon_button";
import { Clips } from "./clips";
import { CropFrame } from "./crop_frame";
import styles from "./decks.css?url";
import { SourceBar } from "./source_bar";
import { TrimBar } from "./trim_bar";

await loadStyles(styles);

/** Often enough to know what is on a deck. */
const PREVIEW_EVERY_MS = 100;
const PREVIEW_PX = 192;

export function DecksBar({ studio, decks }: { studio: Studio; decks: Decks }) {
  return (
    <section class="decks" aria-label="Decks">
      <Deck studio={studio} decks={decks} name="a" />
      <Crossfader studio={studio} decks={decks} />
      <Deck studio={studio} decks={decks} name="b" />
      <Clips decks={decks} studio={studio} />
    </section>
  );
}

interface DeckProps {
  studio: Studio;
  decks: Decks;
  name: DeckName;
}

function Deck({ studio, decks, name }: DeckProps) {
  const inputs = decks[name];
  const kind = inputs.kind.value;
  const source = kind && inputs[kind];
  const letter = name.toUpperCase();
  const isMirrored = kind === "camera" && inputs.camera.mirrored.value;
  const shape = source && "shape" in source ? source.shape.value : null;
  const isVideo = kind === "file" && inputs.file.hasVideo.value;
  return (
    <section class="deck-input" data-deck={name} aria-label={`Deck ${letter}`}>
      <button
        type="button"
        class="deck-name"
        aria-label={`Clips: ${letter}`}
        title={`Clips → ${letter}`}
        aria-pressed={decks.selected.value === name}
        onClick={() => {
          decks.selected.value = name;
        }}
      >
        {letter}
      </button>
      <div class="deck-picture" style={{ "--own-ratio": shape ? shape.width / shape.height : kind ? "var(--ratio)" : undefined }}>
        <Preview decks={decks} name={name} />
        {source && shape && "shape" in source && (
          <CropFrame client={studio.client} source={source} isMirrored={isMirrored} />
        )}
      </div>
      <SourceBar inputs={inputs} kind={kind} title={`${strings.source.title} ${letter}`} isTrimmed />
      {name === "b" && kind && <IconButton icon="close" label={strings.presets.remove(letter)} press={() => inputs.clear()} />}
      {isVideo && <TrimBar decks={decks} name={name} />}
    </section>
  );
}

/** The whole picture, in few pixels and at leisure. */
function Preview({ decks, name }: { decks: Decks; name: DeckName }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    const draw = () => {
      const picture = decks[name].own?.picture();
      if (!context || document.hidden) return;
      const { canvas } = context;
      if (!picture) {
        // What is between two pictures keeps the one before.
        if (!decks[name].kind.peek()) context.clearRect(0, 0, canvas.width, canvas.height);
        return;
      }
      const scale = PREVIEW_PX / Math.max(picture.width, picture.height);
      const [width, height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      context.setTransform(picture.mirrored ? -1 : 1, 0, 0, 1, picture.mirrored ? width : 0, 0);
      context.drawImage(picture.image, 0, 0, width, height);
    };
    const timer = setInterval(draw, PREVIEW_EVERY_MS);
    return () => clearInterval(timer);
  }, [decks, name]);
  return <canvas ref={canvas} aria-hidden="true" />;
}

function Crossfader({ studio, decks }: { studio: Studio; decks: Decks }) {
  const words = strings.decks;
  const { cut, fade } = strings.show.actions;
  const { crossfade } = strings.show.amounts;
  const { fader, mode } = decks;
  const at = fader.at.value;
  const seconds = Number(studio.mixer.fade_s.toFixed(2));
  return (
    <div class="crossfade" role="group" aria-label={crossfade}>
      <select
        aria-label="A + B"
        value={mode.value}
        onChange={(event) => {
          mode.value = fadeModes[event.currentTarget.selectedIndex] ?? "mix";
        }}
      >
        {fadeModes.map((each) => (
          <option key={each} value={each}>
            {words.modes[each]}
          </option>
        ))}
      </select>
      <div class="fader">
        <b aria-hidden="true">A</b>
        <input
          type="range"
          data-midi="crossfade"
          aria-label={crossfade}
          aria-valuetext={`${Math.round(at * 100)} % B`}
          title={`${crossfade} (, .)`}
          min={0}
          max={1}
          step={0.005}
          value={at}
          onInput={(event) => fader.set(event.currentTarget.valueAsNumber)}
        />
        <b aria-hidden="true">B</b>
      </div>
      <div class="segmented">
        <button type="button" data-midi="cut" title={`${cut} (C)`} onClick={studio.actions.cut}>
          {cut}
        </button>
        <button
          type="button"
          data-midi="fade"
          title={`${fade} (A)`}
          aria-pressed={fader.goal.value !== null}
          onClick={studio.actions.fade}
        >
          {strings.perform.fade} {seconds} s
        </button>
      </div>
    </div>
  );
}
