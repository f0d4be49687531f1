/** A style with a picture of the user's own; a click takes it. */

import { useRef } from "preact/hooks";

interface StyleTileProps {
  name: string;
  picture: HTMLCanvasElement | undefined;
  isOn: boolean;
  press: () => void;
}

export function StyleTile({ name, picture, isOn, press }: StyleTileProps) {
  const shown = useRef<HTMLCanvasElement | undefined>(undefined);
  const put = (place: HTMLElement | null) => {
    if (!place || !picture || (shown.current === picture && place.firstChild === picture)) return;
    shown.current = picture;
    place.replaceChildren(picture);
  };
  return (
    <button type="button" class="tile" aria-pressed={isOn} onClick={press}>
      <div aria-hidden="true" ref={put} />
      <span>{name}</span>
    </button>
  );
}
