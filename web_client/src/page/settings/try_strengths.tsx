/** The button that has this moment's picture made at several strengths, which are shown on the stage. */

import { strings } from "../../languages/strings";
import type { Studio } from "../../studio/studio";

export function TryStrengths({ studio: { previews: { tries } } }: { studio: Studio }) {
  const words = strings.preview;
  return (
    <button type="button" class="small" disabled={tries.isBusy.value} onClick={() => void tries.run()}>
      {tries.isBusy.value ? words.busy : words.title}
    </button>
  );
}
