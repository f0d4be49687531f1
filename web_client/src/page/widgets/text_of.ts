/** Keeps a text input in step with its value without disturbing somebody who types in it. */

import { useLayoutEffect, useRef } from "preact/hooks";

/**
 * Writes `shown` into an input, but leaves alone what is being typed until the focus goes. What somebody else changed
 * (another controller, a server that came back without our settings) is written under the focus too: else it would lie.
 */
export function useTextOf<E extends HTMLInputElement | HTMLTextAreaElement>(
  shown: string,
  inForce: string,
  leave: () => void,
) {
  const ref = useRef<E>(null);
  const lastInForce = useRef(inForce);
  const write = (isForced: boolean) => {
    const element = ref.current;
    if (!element || element.value === shown) return;
    if (isForced || document.activeElement !== element) element.value = shown;
  };
  useLayoutEffect(() => {
    const hasChanged = lastInForce.current !== inForce;
    lastInForce.current = inForce;
    write(hasChanged && shown === inForce);
  });
  const onBlur = () => {
    leave();
    write(false);
  };
  return { ref, onBlur };
}
