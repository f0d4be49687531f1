/** A picture that a prompt names, small. */

import { useEffect } from "preact/hooks";
import { strings } from "../../languages/strings";
import type { Pictures } from "../../looks/pictures";

interface ThumbProps {
  pictures: Pictures;
  id: string;
  /** Empty where the name stands beside it. */
  label: string;
}

export function Thumb({ pictures, id, label }: ThumbProps) {
  useEffect(() => void pictures.find(id), [pictures, id]);
  const url = pictures.urls.value.get(id);
  if (url) return <img class="thumb" src={url} alt={label} draggable={false} />;
  const why = url === null ? strings.prompt.pictureMissing : label;
  return <span class="thumb" role="img" aria-label={why || strings.prompt.pictureMissing} title={why} data-missing={url === null} />;
}
