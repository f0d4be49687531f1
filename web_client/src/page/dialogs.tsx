/** The sheet that is open: the keys, the options of this page, where its pictures go, or LoRAs. Loaded when it is first opened. */

import type { Studio } from "../studio/studio";
import { later } from "./widgets/later";

const Help = later(async () => (await import("./sheets")).Help);
const Options = later(async () => (await import("./sheets")).Options);
const SendTo = later(async () => (await import("./sheets")).SendTo);
const LorasSheet = later(async () => (await import("./sheets")).LorasSheet);

export function Dialogs({ studio }: { studio: Studio }) {
  const close = () => {
    studio.view.dialog.value = null;
  };
  switch (studio.view.dialog.value) {
    case "help":
      return <Help close={close} />;
    case "send":
      return <SendTo studio={studio} close={close} />;
    case "loras":
      return <LorasSheet close={close} />;
    case "options":
      return <Options studio={studio} close={close} />;
    case null:
      return null;
  }
}
