/** A labelled checkbox that shows and sets a signal. */

import type { Signal } from "@preact/signals";

interface CheckProps {
  of: Signal<boolean>;
  label: string;
  hint?: string;
  /** In smaller letters: beside the point. */
  isDetail?: boolean;
}

export function Check({ of, label, hint, isDetail = false }: CheckProps) {
  return (
    <label class={isDetail ? "inline detail" : "inline"} title={hint}>
      <input
        type="checkbox"
        checked={of.value}
        onChange={(event) => {
          of.value = event.currentTarget.checked;
        }}
      />
      {label}
    </label>
  );
}
