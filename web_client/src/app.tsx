/** The page's frame: header, messages, stage and settings. */

import type { Client } from "./client";
import { Header } from "./header";
import { Hud } from "./hud";
import { Messages } from "./messages";
import { Panel } from "./panel";
import { Stage } from "./stage";
import { strings } from "./strings";
import type { View } from "./view";

export function App({ client, view }: { client: Client; view: View }) {
  return (
    <>
      <a class="skip" href="#settings">
        {strings.skip}
      </a>
      <Header client={client} view={view} />
      <Messages client={client} />
      <main>
        <div class="workspace">
          <Stage client={client} view={view} />
          {view.showsHud.value && <Hud client={client} />}
        </div>
        <Panel client={client} />
      </main>
    </>
  );
}
