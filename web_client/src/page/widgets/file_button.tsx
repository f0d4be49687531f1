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
  take: (file: File) => void;
  children: ComponentChildren;
}

export function FileButton({ accept, label, title, disabled = false, isPressed, take, children, ...rest }: FileButtonProps) {
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
        accept={accept}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          // The same file again is a choice too.
          event.currentTarget.value = "";
          if (file) take(file);
        }}
      />
    </>
  );
}
