/** The page's frame: header, panes and settings. */

import { strings } from "../languages/strings";
import type { Studio } from "../studio/studio";
import { Dialogs } from "./dialogs";
import { Header } from "./header";
import { Panes } from "./panes";
import { Side } from "./side";
import { later } from "./widgets/later";

const LoadedHud = later(async () => (await import("./measurements/hud")).Hud);

export function App({ studio }: { studio: Studio }) {
  const { view } = studio;
  return (
    <>
      <a class="skip" href="#settings">
        {strings.skip}
      </a>
      <Header studio={studio} />
      {view.showsHud.value && <LoadedHud studio={studio} />}
      <main>
        <Panes studio={studio} />
        <Side studio={studio} />
      </main>
      <Dialogs studio={studio} />
    </>
  );
}
