/** The top line: name, connection state, how fast it goes, options and help. */

import { strings } from "../languages/strings";
import type { Studio } from "../studio/studio";
import type { Dialog } from "../studio/view";
import { Icon, type IconName } from "./widgets/icons";

export function Header({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  const { state } = client.connection.status.value;
  return (
    <header>
      <h1>{strings.name}</h1>
      <p class="state" data-state={state} role="status">
        {strings.state[state]}
      </p>
      <StatusLine studio={studio} />
      <button
        type="button"
        class="send-to"
        aria-haspopup="dialog"
        aria-label={strings.send.title}
        title={strings.send.title}
        onClick={() => {
          view.dialog.value = "send";
        }}
      >
        <Icon name="share" />
        <span class="label">{strings.send.title}</span>
      </button>
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

/** How fast and how late the pictures are; a click shows the rest. */
function StatusLine({ studio: { client, view, actions } }: { studio: Studio }) {
  const words = strings.hud;
  const { shown_fps, latency_p50_ms, link } = client.meter.now.value;
  const late_ms = link ? link.roundTrip_ms : latency_p50_ms;
  const figures = [`${shown_fps.toFixed(0)} ${words.fps}`];
  if (late_ms !== null) figures.push(`${late_ms.toFixed(0)} ${words.ms}`);
  const text = client.connection.status.value.state === "open" ? figures.join(" · ") : words.title;
  return (
    <button
      type="button"
      class="status-line"
      aria-label={`${words.title}: ${text}`}
      title={`${words.title} (H)`}
      aria-expanded={view.showsHud.value}
      onClick={actions.measurements}
    >
      {text}
    </button>
  );
}

const dialogs: [Dialog, IconName, () => string][] = [
  ["options", "options", () => strings.options.title],
  ["help", "help", () => `${strings.keys.title} (?)`],
];
