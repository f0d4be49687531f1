/** A native modal dialog: the browser keeps the focus in it, and gives it back. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { strings } from "../../languages/strings";

interface ModalProps {
  title: string;
  close: () => void;
  children: ComponentChildren;
}

export function Modal({ title, close, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="dialog-title"
      onClose={close}
      onClick={(event) => {
        // The backdrop belongs to the dialog's element; its content doesn't.
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <div class="dialog-content">
        <div class="dialog-head">
          <h2 id="dialog-title">{title}</h2>
          <button type="button" onClick={() => dialog.current?.close()}>
            {strings.close}
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}
