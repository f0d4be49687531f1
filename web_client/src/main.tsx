/** Starts the page. */

import "./style.css";
import "./controls.css";
import "./stage.css";
import "./studio.css";
import "./panel.css";
import "./draw.css";
import "./touch.css";
import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./app";
import { Client } from "./client";
import { bindIntake } from "./intake";
import { bindKeys } from "./keys";
import { language, speakChosen } from "./language";
import { Studio } from "./studio";
import { View } from "./view";

const client = new Client();
const view = new View();
const studio = new Studio(client, view);

effect(() => {
  document.documentElement.dataset.theme = view.theme.value;
});
bindKeys(studio, document);
bindIntake((file) => void studio.take(file));
client.connection.start();
void client.inputs.resume();
await speakChosen();
// Anew for each language: whoever reads the words reads them all again.
language.subscribe((spoken) => render(<App key={spoken} studio={studio} />, document.body));

/** A network that comes back, or a user, is worth a try at once, not after the back-off. */
function retryAtOnce(): void {
  if (client.connection.status.peek().state === "retrying" && !document.hidden) client.connection.start();
}
addEventListener("online", retryAtOnce);
document.addEventListener("visibilitychange", retryAtOnce);
