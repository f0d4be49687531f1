/** The shape of the pictures and how much detail they have, each with the rate that was measured here. */

import { strings } from "../../languages/strings";
import type { Size } from "../../params/sizes";
import { sizeKey } from "../../receiving/size_rates";
import type { Studio } from "../../studio/studio";

export function SizeChooser({ studio: { sizing } }: { studio: Studio }) {
  const words = strings.sizes;
  const [choices, chosen] = [sizing.choices.value, sizing.chosen.value];
  if (!choices || !chosen) return null;
  const measured = sizing.rates.measured.value;
  const choice = (name: string, size: Size | null, isOn: boolean, press: () => void, ratio?: number) => {
    const fps = size && measured.get(sizeKey(size));
    const rate = fps ? words.rate(fps < 9.95 ? fps.toFixed(1) : fps.toFixed(0)) : null;
    return (
      <button
        key={name}
        type="button"
        aria-pressed={isOn}
        title={size ? `${sizeKey(size)}: ${rate ?? words.unmeasured}` : name}
        onClick={press}
      >
        {ratio && <span class="shape" style={{ "--of": ratio }} />}
        {/* Read as "4:3 25 fps". */}
        <span>{name}</span> <small>{rate ?? "\u00a0"}</small>
      </button>
    );
  };
  return (
    <div class="sizes">
      <div class="segmented" role="group" aria-label={words.shape}>
        {choices.shapes.map((shape) =>
          choice(shape.name, sizing.size({ shape }), shape === chosen.shape, () => sizing.choose({ shape }), shape.ratio),
        )}
      </div>
      {choices.details.size > 1 && (
        <div class="segmented" role="group" aria-label={words.detail}>
          {[...choices.details.keys()].map((detail) =>
            choice(words.details[detail], sizing.size({ detail }), detail === chosen.detail, () => sizing.choose({ detail })),
          )}
        </div>
      )}
    </div>
  );
}
