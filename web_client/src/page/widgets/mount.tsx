/** Puts an element that somebody else owns (a video, a canvas) into the page. */

import { useLayoutEffect, useRef } from "preact/hooks";

export function Mount({ element, label }: { element: HTMLElement; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    element.setAttribute("aria-label", label);
    const isPicture = !(element instanceof HTMLVideoElement) && !element.hasAttribute("role");
    if (isPicture) element.setAttribute("role", "img");
    place.current?.replaceChildren(element);
  }, [element, label]);
  return <div class="mount" ref={place} />;
}
