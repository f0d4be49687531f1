/** Starts the page. */

import "./page/css/style.css";
import "./page/css/header.css";
import "./page/css/controls.css";
import "./page/css/panes.css";
import "./page/css/measurements.css";
import "./page/css/over.css";
import "./page/css/dialogs.css";
import "./page/css/panel.css";
import "./page/css/keeping.css";
import "./page/css/show.css";
import "./page/css/perform.css";
import "./page/css/drawing.css";
import "./page/css/touch.css";
import { effect } from "@preact/signals";
import { render } from "preact";
import { claimSession, takeTicket } from "./connection/session";
import { language, speakChosen } from "./languages/language";
import { App } from "./page/app";
import { bindIntake } from "./page/intake";
import { Client } from "./studio/client";
import { bindKeys } from "./studio/keys";
import { Studio } from "./studio/studio";
import { View } from "./studio/view";

takeTicket();
const client = new Client();
const view = new View();
const studio = new Studio(client, view);

effect(() => {
  document.documentElement.dataset.theme = view.theme.value;
});
// What nobody expected is said at least: a part that can't be loaded since the server was updated, say.
addEventListener("error", ({ error }) => error && client.problems.mention("unexpected", String(error)));
addEventListener("unhandledrejection", ({ reason }) => client.problems.mention("unexpected", String(reason)));
bindKeys(studio, document);
bindIntake((file) => void studio.take(file));
// Missing at addresses that are not secure, whatever TypeScript believes.
await Promise.all([claimSession((navigator as Partial<Navigator>).locks), speakChosen()]);
client.connection.start();
void client.inputs.resume();
void studio.mixer.resume();
document.body.textContent = "";
// Anew for each language: whoever reads the words reads them all again.
language.subscribe((spoken) => render(<App key={spoken} studio={studio} />, document.body));

/** A network that comes back, or a user, is worth a try at once, not after the back-off. */
function retryAtOnce(): void {
  if (client.connection.status.peek().state === "retrying" && !document.hidden) client.connection.start();
}
addEventListener("online", retryAtOnce);
document.addEventListener("visibilitychange", retryAtOnce);
