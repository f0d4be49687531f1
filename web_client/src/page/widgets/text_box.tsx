/** A text box whose text is taken when it is left or Enter is pressed; what is typed stays whatever happens beside it. */

import { useTextOf } from "./text_of";

interface TextBoxProps {
  value: string;
  /** Resolves what was typed; what is then in force stands in the box. */
  change: (text: string) => void;
  label?: string;
  maxLength?: number;
}

export function TextBox({ value, change, label, maxLength }: TextBoxProps) {
  const text = useTextOf<HTMLInputElement>(value, value, () => {});
  return (
    <input
      type="text"
      aria-label={label}
      maxLength={maxLength}
      spellcheck={false}
      {...text}
      onChange={(event) => change(event.currentTarget.value)}
    />
  );
}
