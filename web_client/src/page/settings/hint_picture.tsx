/** What a net is shown of the newest frame, small and live, as long as it is on the page. */

import { useEffect, useState } from "preact/hooks";
import { browserClock } from "../../browser/clock";
import { fetchHint } from "../../connection/hints";
import { sessionName } from "../../connection/session";
import { strings } from "../../languages/strings";
import type { ControlNet } from "../../protocol";

/** Often enough to see that it lives; each is a few kilobytes. */
const EVERY_MS = 400;

interface HintPictureProps {
  of: ControlNet | undefined;
  source: string;
  /** Whether there is a server to ask. */
  isSeen: boolean;
}

export function HintPicture({ of, source, isSeen }: HintPictureProps) {
  const [url, setUrl] = useState<string | null>(null);
  const name = of && isSeen ? of.name : null;
  useEffect(() => (name === null ? undefined : watch(name, source, setUrl)), [name, source]);
  const label = of ? strings.control.hintOf(of.title) : "";
  if (url !== null && name !== null) return <img class="control-hint" src={url} alt={label} draggable={false} />;
  return <span class="control-hint" />;
}

/** Shows one picture after another until the returned function is called. */
function watch(net: string, source: string, show: (url: string | null) => void): () => void {
  let isOver = false;
  let callOff = () => {};
  let shown: string | null = null;
  const replace = (url: string | null) => {
    const before = shown;
    shown = url;
    show(url);
    // What is on the page still needs it until the next one is there.
    if (before !== null) browserClock.after(EVERY_MS, () => URL.revokeObjectURL(before));
  };
  const look = async () => {
    const picture = document.hidden ? null : await fetchHint(sessionName(), net, source).catch(() => null);
    if (isOver) return;
    if (picture) replace(URL.createObjectURL(picture));
    callOff = browserClock.after(EVERY_MS, () => void look());
  };
  void look();
  return () => {
    isOver = true;
    callOff();
    replace(null);
  };
}
