/** The styles that the model was made for, each with a picture of the user's own; a click takes one. */

import { useRef } from "preact/hooks";
import { strings } from "../../languages/strings";
import { bestFirst, includesPhrase, setStyle } from "../../params/styles";
import type { Phrase } from "../../protocol";
import type { Studio } from "../../studio/studio";
import { IconButton } from "../widgets/icon_button";
import { seenText } from "./mood_chips";

/** Three rows: with the strength below them they are above the fold of a small laptop. */
const FIRST = 12;

export function StyleChooser({ studio }: { studio: Studio }) {
  const { client, tiles, view } = studio;
  const words = strings.panel;
  const { styles = [] } = client.server.styles.value;
  const { text, edit } = seenText(client);
  if (styles.length === 0) return null;
  const ordered = bestFirst(styles);
  const showsAll = view.showsAllStyles.value;
  const isOn = (style: Phrase) => includesPhrase(text, style);
  const shown = ordered.filter((style, index) => showsAll || index < FIRST || isOn(style));
  return (
    <div class="tiles-part">
      <div class="label-row">
        <span>{words.styles}</span>
        <span class="tiles-tools">
          {styles.length > FIRST && (
            <button
              type="button"
              class="quiet small"
              aria-expanded={showsAll}
              onClick={() => {
                view.showsAllStyles.value = !showsAll;
              }}
            >
              {showsAll ? words.fewerStyles : words.allStyles(styles.length)}
            </button>
          )}
          <IconButton icon="renew" label={words.newTiles} isOff={tiles.isBusy.value} press={() => studio.renewTiles()} />
        </span>
      </div>
      <div class="tiles" role="group" aria-label={words.styles}>
        {shown.map((style) => (
          <StyleButton
            key={style.name}
            name={style.name}
            picture={tiles.pictures.value.get(style.name)}
            isOn={isOn(style)}
            press={() => edit(setStyle(text, style, styles))}
          />
        ))}
      </div>
    </div>
  );
}

interface StyleButtonProps {
  name: string;
  picture: HTMLCanvasElement | undefined;
  isOn: boolean;
  press: () => void;
}

function StyleButton({ name, picture, isOn, press }: StyleButtonProps) {
  const shown = useRef<HTMLCanvasElement | undefined>(undefined);
  const put = (place: HTMLElement | null) => {
    if (!place || !picture || (shown.current === picture && place.firstChild === picture)) return;
    shown.current = picture;
    place.replaceChildren(picture);
  };
  return (
    <button type="button" class="tile" aria-pressed={isOn} onClick={press}>
      <div aria-hidden="true" ref={put} />
      <span>{strings.panel.phrases[name] ?? name}</span>
    </button>
  );
}
