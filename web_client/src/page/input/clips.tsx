/** The clips: a click plays one on the deck that is chosen; files are dropped or chosen, several at once. */

import { addressOfJpeg } from "../../browser/thumbnail";
import { strings } from "../../languages/strings";
import type { Clip } from "../../sources/clips";
import { type Decks, deckNames } from "../../sources/decks";
import type { Studio } from "../../studio/studio";
import { FileButton } from "../widgets/file_button";
import { IconButton } from "../widgets/icon_button";
import { Icon } from "../widgets/icons";
import { ACCEPT } from "./source_bar";

const KEYS = 9;

export function Clips({ studio, decks }: { studio: Studio; decks: Decks }) {
  const words = strings.decks;
  const { clips } = decks;
  const onDrop = (event: DragEvent): void => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    void clips.add(files);
  };
  const remove = (clip: Clip) => {
    void clips.remove(clip).then((undo) => studio.client.notes.say("clipRemoved", undo));
  };
  return (
    <div class="clips" role="group" aria-label="Clips" onDrop={onDrop}>
      {clips.clips.value.map((clip, index) => (
        <ClipPad key={clip.id} decks={decks} clip={clip} index={index} remove={() => remove(clip)} />
      ))}
      <FileButton class="pad add" accept={ACCEPT} takesSeveral title={words.add} take={(file) => void clips.add([file])}>
        <Icon name="plus" />
        {words.add}
      </FileButton>
    </div>
  );
}

interface ClipPadProps {
  decks: Decks;
  clip: Clip;
  index: number;
  remove: () => void;
}

function ClipPad({ decks, clip, index, remove }: ClipPadProps) {
  const on = deckNames.filter((name) => decks.clipOn(name) === clip.id).map((name) => name.toUpperCase());
  return (
    <div class="clip">
      <button
        type="button"
        class="pad"
        aria-pressed={on.length > 0}
        title={clip.name}
        data-midi={`clip ${index + 1}`}
        onClick={() => void decks.play(clip)}
      >
        {clip.picture && <img src={addressOfJpeg(clip.picture)} alt="" draggable={false} />}
        {index < KEYS && <kbd aria-hidden="true">⇧{index + 1}</kbd>}
        <span class="pad-name">{clip.name}</span>
        {on.length > 0 && <span class="pad-time">{on.join(" ")}</span>}
      </button>
      <IconButton icon="close" label={strings.presets.remove(clip.name)} press={remove} />
    </div>
  );
}
