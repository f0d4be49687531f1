/** The top line: name, model, connection state, layout. */

import type { Client } from "./client";
import { Icon } from "./icons";
import { strings } from "./strings";
import type { Layout, View } from "./view";

const layouts: Layout[] = ["sideBySide", "outputOnly"];

export function Header({ client, view }: { client: Client; view: View }) {
  const { state } = client.connection.status.value;
  return (
    <header>
      <h1>{strings.name}</h1>
      {client.model.value && <span class="model">{client.model}</span>}
      <p class="state" data-state={state} role="status">
        {strings.state[state]}
      </p>
      {state === "open" && <span class="transport">{strings.transport[client.dialer.inUse.value]}</span>}
      <div class="segmented" role="group" aria-label={strings.stage.layout}>
        {layouts.map((layout) => (
          <button
            key={layout}
            type="button"
            aria-pressed={view.layout.value === layout}
            title={strings.stage[layout]}
            onClick={() => {
              view.layout.value = layout;
            }}
          >
            <Icon name={layout} />
            <span class="label">{strings.stage[layout]}</span>
          </button>
        ))}
      </div>
    </header>
  );
}
