/** The styles: those that the model was made for, each with a picture of the user's own, and those of pictures. */

import { useState } from "preact/hooks";
import { strings } from "../../languages/strings";
import { seenText, styledBy, stylingPicture } from "../../looks/blend";
import type { BroughtPicture } from "../../looks/pictures";
import { referencesOf } from "../../looks/references";
import { bestFirst, includesPhrase, setStyle } from "../../params/styles";
import type { Phrase } from "../../protocol";
import type { Studio } from "../../studio/studio";
import { CanvasCopy } from "../widgets/canvas_copy";
import { FileButton } from "../widgets/file_button";
import { IconButton } from "../widgets/icon_button";
import { Icon } from "../widgets/icons";
import { pictureDrop } from "../widgets/picture_drop";
import { Thumb } from "../widgets/thumb";
import { StyleTile } from "./style_tile";

/** Three rows: with the strength below them they are above the fold of a small laptop. */
const FIRST = 12;
/** Of the pictures that were brought, those that have a tile. */
const NEWEST_PICTURES = 3;

export function StyleChooser({ studio }: { studio: Studio }) {
  const { client, previews, view } = studio;
  const words = strings.panel;
  const [isOver, setOver] = useState(false);
  const { styles = [], pictures: samples = [] } = client.server.styles.value;
  const hearsPictures = client.server.takesPictures;
  const { prompt, references } = client.params.shown.value;
  const isReference = (id: string) => referencesOf(references).some((one) => one.picture === id);
  if (styles.length === 0 && !hearsPictures) return null;
  const text = seenText(prompt);
  const picture = stylingPicture(prompt);
  const isOn = (style: Phrase) => picture === null && includesPhrase(text, style);
  const showsAll = view.showsAllStyles.value;
  const brought = client.pictures.brought.value;
  const pictures = hearsPictures ? brought.filter(({ id }, index) => showsAll || index < NEWEST_PICTURES || id === picture || isReference(id)) : [];
  const room = FIRST - pictures.length - (hearsPictures ? 1 : 0);
  const ready = samples.filter(({ picture: id }) => showsAll || id === picture);
  const shown = bestFirst(styles).filter((style, index) => showsAll || index < room || isOn(style));
  const tileOf = ({ id, name }: BroughtPicture) => (
    <StyleTile
      key={id}
      studio={studio}
      name={name}
      title={words.like(name)}
      picture={{ name, picture: id }}
      isOn={id === picture || isReference(id)}
      press={() => studio.styleLike(id)}
    >
      <Thumb pictures={client.pictures} id={id} label="" />
    </StyleTile>
  );
  return (
    <div
      class="tiles-part"
      data-over={isOver}
      {...(hearsPictures && pictureDrop(setOver, (file) => void studio.styleAfter(file)))}
    >
      <div class="label-row">
        <span>{words.styles}</span>
        <span class="tiles-tools">
          {styles.length + samples.length > room && (
            <button
              type="button"
              class="quiet small"
              aria-expanded={showsAll}
              onClick={() => {
                view.showsAllStyles.value = !showsAll;
              }}
            >
              {showsAll ? words.fewerStyles : words.allStyles(styles.length + samples.length)}
            </button>
          )}
          {styles.length > 0 && (
            <IconButton icon="renew" label={words.newTiles} isOff={previews.tiles.isBusy.value} press={() => previews.renew()} />
          )}
        </span>
      </div>
      <div class="tiles" role="group" aria-label={words.styles}>
        {hearsPictures && <LikeTile studio={studio} />}
        {pictures.map(tileOf)}
        {shown.map((style) => {
          const name = words.phrases[style.name] ?? style.name;
          return (
            <StyleTile
              key={style.name}
              studio={studio}
              name={name}
              picture={{ name, style: style.name }}
              isOn={isOn(style)}
              press={() => client.params.edit("prompt", styledBy(prompt, setStyle(text, style, styles)), "sliding")}
            >
              <CanvasCopy of={previews.tiles.pictures.value.get(style.name)} />
            </StyleTile>
          );
        })}
        {ready.map(({ name, picture: id }) => tileOf({ id, name: words.phrases[name] ?? name }))}
      </div>
    </div>
  );
}

/** Takes a picture whose style is wanted. */
function LikeTile({ studio }: { studio: Studio }) {
  const words = strings.panel;
  const isBusy = studio.client.pictures.isBusy.value;
  return (
    <FileButton
      accept="image/*"
      class="tile like"
      title={words.likeHint}
      disabled={isBusy}
      take={(file) => void studio.styleAfter(file)}
    >
      <div>{isBusy ? <progress aria-label={words.likeBusy} /> : <Icon name="plus" />}</div>
      <span>{words.likePicture}</span>
    </FileButton>
  );
}
