/** The page's frame: header, messages, stage and settings. */

import { strings } from "../languages/strings";
import type { Studio } from "../studio/studio";
import { Dialogs } from "./dialogs";
import { Header } from "./header";
import { Hud } from "./measurements/hud";
import { Messages } from "./messages";
import { Side } from "./side";
import { Stage } from "./stage";

export function App({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  return (
    <>
      <a class="skip" href="#settings">
        {strings.skip}
      </a>
      <Header studio={studio} />
      <Messages client={client} />
      <main>
        <div class="workspace">
          <Stage studio={studio} />
          {view.showsHud.value && <Hud studio={studio} />}
        </div>
        <Side studio={studio} />
      </main>
      <Dialogs studio={studio} />
    </>
  );
}
