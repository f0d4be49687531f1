/** A style with a picture; a click takes it, resting on it or holding it shows the picture large. */

import type { ComponentChildren } from "preact";
import type { StylePicture } from "../../studio/previews";
import type { Studio } from "../../studio/studio";

interface StyleTileProps {
  studio: Studio;
  /** May have soft hyphens. */
  name: string;
  /** What it is called where that isn't enough. */
  title?: string;
  picture: StylePicture;
  isOn: boolean;
  press: () => void;
  children: ComponentChildren;
}

export function StyleTile({ studio: { previews: { closerLook } }, name, title, picture, isOn, press, children }: StyleTileProps) {
  return (
    <button
      type="button"
      class="tile"
      aria-pressed={isOn}
      aria-label={title}
      onClick={() => closerLook.press() && press()}
      onPointerEnter={({ pointerType }) => pointerType !== "touch" && closerLook.rest(picture)}
      onPointerDown={({ pointerType }) => pointerType === "touch" && closerLook.hold(picture)}
      onPointerLeave={() => closerLook.end()}
      onPointerCancel={() => closerLook.end()}
      onFocus={({ currentTarget }) => currentTarget.matches(":focus-visible") && closerLook.rest(picture)}
      onBlur={() => closerLook.end()}
      // What a browser offers for a picture that is held.
      onContextMenu={(event) => closerLook.shown.peek() && event.preventDefault()}
    >
      <div aria-hidden="true">{children}</div>
      <span class={title && "one-line"}>{name}</span>
    </button>
  );
}
