/** The references in force: each with its weight, and where the model can tell, what of it is taken. */

import { strings } from "../../languages/strings";
import { changed, MAX_WEIGHT, referencesOf, toggled } from "../../looks/references";
import type { Reference } from "../../protocol";
import type { Studio } from "../../studio/studio";
import { IconButton } from "../widgets/icon_button";
import { Thumb } from "../widgets/thumb";

const FIELD = "references";

export function References({ studio: { client } }: { studio: Studio }) {
  const { params, pictures, server } = client;
  const references = referencesOf(params.shown.value[FIELD]);
  const layers = server.referenceLayers.value;
  const error = params.errors.value[FIELD];
  if (layers.length === 0 || (references.length === 0 && error === undefined)) return null;
  const words = strings.references;
  const edit = (now: Reference[]) => params.edit(FIELD, now, "sliding");
  return (
    <div class="field blend" role="group" aria-label={words.title}>
      {references.map((one, index) => (
        <div key={one.picture} class="reference">
          <Thumb pictures={pictures} id={one.picture} label={words.picture(index + 1)} />
          <input
            type="range"
            aria-label={words.weight(index + 1)}
            title={words.weight(index + 1)}
            min={0}
            max={MAX_WEIGHT}
            step={0.05}
            value={one.weight}
            onInput={({ currentTarget }) => edit(changed(references, index, { weight: currentTarget.valueAsNumber }))}
          />
          <IconButton icon="close" label={words.remove(index + 1)} press={() => edit(toggled(references, one.picture))} />
          {layers.length > 1 && (
            <select
              aria-label={words.layers(index + 1)}
              value={one.layers ?? "all"}
              onChange={({ currentTarget }) => edit(changed(references, index, { layers: currentTarget.value }))}
            >
              {layers.map((each) => (
                <option key={each} value={each}>
                  {words.layersOf[each] ?? each}
                </option>
              ))}
            </select>
          )}
        </div>
      ))}
      {error !== undefined && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}
