/** A number in a labelled box. */

import { useTextOf } from "./text_of";

interface NumberOptionProps {
  label: string;
  value: number;
  min?: number;
  max: number;
  change: (value: number) => void;
}

export function NumberOption({ label, value, min = 0, max, change }: NumberOptionProps) {
  const text = useTextOf<HTMLInputElement>(String(value), String(value), () => {});
  return (
    <label class="option">
      <span>{label}</span>
      <input
        type="number"
        min={min}
        max={max}
        step="any"
        {...text}
        onChange={(event) => change(Math.max(min, Math.min(max, event.currentTarget.valueAsNumber || 0)))}
      />
    </label>
  );
}
