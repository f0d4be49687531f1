/** The sheet that is open: the keys, the options of this page, where its pictures go, or LoRAs. Loaded when it is first opened. */

import type { Studio } from "../studio/studio";
import { later } from "./widgets/later";

const LoadedHelp = later(async () => (await import("./sheets")).Help);
const LoadedOptions = later(async () => (await import("./sheets")).Options);
const LoadedSendTo = later(async () => (await import("./sheets")).SendTo);
const LoadedLorasSheet = later(async () => (await import("./sheets")).LorasSheet);

export function Dialogs({ studio }: { studio: Studio }) {
  const close = () => {
    studio.view.dialog.value = null;
  };
  switch (studio.view.dialog.value) {
    case "help":
      return <LoadedHelp close={close} />;
    case "send":
      return <LoadedSendTo studio={studio} close={close} />;
    case "loras":
      return <LoadedLorasSheet close={close} />;
    case "options":
      return <LoadedOptions studio={studio} close={close} />;
    case null:
      return null;
  }
}
