/** Settings that can be folded away; the browser keeps which of them are open. */

import type { ComponentChildren } from "preact";
import type { View } from "../../studio/view";

interface FoldProps {
  view: View;
  /** What it is kept by. */
  name: string;
  title: string;
  /** What is in force inside, which is shown while this is closed. */
  state?: string | undefined;
  children: ComponentChildren;
}

export function Fold({ view, name, title, state, children }: FoldProps) {
  return (
    <details
      open={view.openFolds.value.includes(name)}
      onToggle={(event) => view.setFold(name, event.currentTarget.open)}
    >
      <summary>
        {title}
        {state && <span class="fold-state">{state}</span>}
      </summary>
      {children}
    </details>
  );
}
