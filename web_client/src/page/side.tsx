/** The column beside the panes, in tabs: the look of the picture, and the show around it. */

import { strings } from "../languages/strings";
import type { Studio } from "../studio/studio";
import { type Tab, tabs } from "../studio/view";
import { Panel } from "./settings/panel";
import { later } from "./widgets/later";

/** The show's controls. */
const LoadedShowPanel = later(async () => (await import("./show/show_panel")).ShowPanel);

function open(studio: Studio, tab: Tab): void {
  studio.view.tab.value = tab;
  if (tab !== "show") return;
  studio.view.showsPads.value = true;
  void studio.openShow();
}

export function Side({ studio }: { studio: Studio }) {
  const chosen = studio.view.tab.value;
  const show = studio.show.value;
  return (
    <section class="panel" id="settings" tabIndex={-1} aria-label={strings.panel.title}>
      <div class="tabs" role="tablist" aria-label={strings.panel.title}>
        {tabs.map((tab, index) => (
          <button
            key={tab}
            type="button"
            role="tab"
            id={`tab-${tab}`}
            aria-selected={tab === chosen}
            aria-controls="tab-panel"
            tabIndex={tab === chosen ? 0 : -1}
            onClick={() => open(studio, tab)}
            onKeyDown={(event) => {
              if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
              const next = tabs[(index + 1) % tabs.length] ?? "look";
              open(studio, next);
              document.getElementById(`tab-${next}`)?.focus();
            }}
          >
            {strings.tabs[tab]}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${chosen}`}>
        {chosen === "look" ? <Panel studio={studio} /> : show && <LoadedShowPanel show={show} pictures={studio.client.pictures} />}
      </div>
    </section>
  );
}
