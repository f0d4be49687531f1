/** The top line: name, model, connection state, layout, options and help. */

import { strings } from "../languages/strings";
import { layouts } from "../program/mix";
import type { Studio } from "../studio/studio";
import type { Dialog } from "../studio/view";
import { Icon, type IconName } from "./widgets/icons";

export function Header({ studio: { client, view } }: { studio: Studio }) {
  const { state } = client.connection.status.value;
  return (
    <header>
      <h1>{strings.name}</h1>
      {client.server.model.value && <span class="model">{client.server.model}</span>}
      <p class="state" data-state={state} role="status">
        {strings.state[state]}
      </p>
      {state === "open" && <span class="transport">{strings.transport[client.dialer.inUse.value]}</span>}
      <div class="segmented layouts" role="group" aria-label={strings.panes.layout}>
        {layouts.map((layout) => (
          <button
            key={layout}
            type="button"
            aria-pressed={view.layout.value === layout}
            title={`${strings.panes[layout]} (L)`}
            onClick={() => {
              view.layout.value = layout;
            }}
          >
            <Icon name={layout} />
            <span class="label">{strings.panes[layout]}</span>
          </button>
        ))}
      </div>
      <div class="segmented">
        {dialogs.map(([dialog, icon, name]) => (
          <button
            key={dialog}
            type="button"
            class="icon-only"
            aria-haspopup="dialog"
            aria-label={name()}
            title={name()}
            onClick={() => {
              view.dialog.value = dialog;
            }}
          >
            <Icon name={icon} />
          </button>
        ))}
      </div>
    </header>
  );
}

const dialogs: [Dialog, IconName, () => string][] = [
  ["options", "options", () => strings.options.title],
  ["help", "help", () => `${strings.keys.title} (?)`],
];
