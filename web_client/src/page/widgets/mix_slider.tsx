/** The slider of opacity or wipe; as a wipe its thumb is the line between input and output. */

import { strings } from "../../languages/strings";
import type { View } from "../../studio/view";

export function MixSlider({ view, class: name }: { view: View; class: string }) {
  const { amount } = view;
  return (
    <input
      type="range"
      class={name}
      data-midi="mix"
      aria-label={strings.panes.blends[view.blend.value]}
      title={`${strings.panes.blends[view.blend.value]} (< >)`}
      min={0}
      max={1}
      step={0.005}
      value={amount.value}
      onInput={(event) => {
        amount.value = event.currentTarget.valueAsNumber;
      }}
    />
  );
}
