/** A button that opens the browser's file dialog for pictures and videos. */

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

interface FileButtonProps {
  accept: string;
  class?: string;
  label?: string;
  title?: string;
  disabled?: boolean;
  isPressed?: boolean;
  /** Called with each of several, one after the other. */
  take: (file: File) => void;
  takesSeveral?: boolean;
  children: ComponentChildren;
}

export function FileButton({ accept, label, title, disabled = false, isPressed, take, takesSeveral = false, children, ...rest }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class={rest.class}
        aria-label={label}
        title={title ?? label}
        aria-pressed={isPressed}
        disabled={disabled}
        onClick={() => input.current?.click()}
      >
        {children}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        multiple={takesSeveral}
        accept={accept}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          // The same file again is a choice too.
          event.currentTarget.value = "";
          for (const file of files) take(file);
        }}
      />
    </>
  );
}
