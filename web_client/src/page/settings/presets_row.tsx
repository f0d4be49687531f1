/** The presets by name: what is on the pads, put in order. */

import { useRef } from "preact/hooks";
import { strings } from "../../languages/strings";
import { MAX_TRANSITION_S, transitionOf } from "../../looks/look";
import { moved, type Preset, renamed, retimed } from "../../looks/presets";
import type { Studio } from "../../studio/studio";
import { IconButton } from "../widgets/icon_button";
import { Icon } from "../widgets/icons";
import { NumberOption } from "../widgets/number_option";
import { TextBox } from "../widgets/text_box";

export function PresetsRow({ studio }: { studio: Studio }) {
  const { looks } = studio;
  const words = strings.presets;
  return (
    <section class="presets" aria-label={words.title}>
      <button type="button" title={`${words.save} (K)`} onClick={studio.actions.saveLook}>
        <Icon name="plus" />
        {words.save}
      </button>
      <details>
        <summary>{words.manage}</summary>
        <ol class="preset-list">
          {looks.presets.value.map((preset, index) => (
            <Row key={index} studio={studio} preset={preset} index={index} />
          ))}
        </ol>
        <Files studio={studio} />
      </details>
    </section>
  );
}

function Row({ studio, preset, index }: { studio: Studio; preset: Preset; index: number }) {
  const { looks } = studio;
  const words = strings.presets;
  const set = (presets: typeof looks.presets.value) => {
    looks.presets.value = presets;
  };
  return (
    <li>
      <TextBox
        label={words.nameOf(index + 1)}
        value={preset.name}
        change={(name) => set(renamed(looks.presets.value, index, name))}
      />
      <NumberOption
        label={strings.show.fade}
        value={transitionOf(preset.look) ?? 0}
        max={MAX_TRANSITION_S}
        change={(seconds) => set(retimed(looks.presets.value, index, seconds))}
      />
      <IconButton icon="up" label={words.up(preset.name)} press={() => set(moved(looks.presets.value, index, -1))} />
      <IconButton icon="pencil" label={words.overwrite(preset.name)} press={() => looks.overwrite(index)} />
      <IconButton icon="share" label={words.share(preset.name)} press={() => void studio.sharing.share(preset)} />
      <IconButton icon="clear" label={words.remove(preset.name)} press={() => looks.remove(index)} />
    </li>
  );
}

function Files({ studio }: { studio: Studio }) {
  const words = strings.presets;
  const chooser = useRef<HTMLInputElement>(null);
  return (
    <div class="preset-files">
      <button type="button" onClick={() => chooser.current?.click()}>
        <Icon name="open" />
        {words.open}
      </button>
      <button type="button" onClick={() => studio.sharing.exportPresets()}>
        <Icon name="snapshot" />
        {words.export}
      </button>
      <input
        ref={chooser}
        type="file"
        hidden
        accept=".png,.json,image/png,application/json"
        aria-label={words.open}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = "";
          if (file) void studio.open(file);
        }}
      />
    </div>
  );
}
