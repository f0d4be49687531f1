/** Starts the page. */

import "./style.css";
import "./controls.css";
import "./stage.css";
import { render } from "preact";
import { App } from "./app";
import { Client } from "./client";
import { bindKeys } from "./keys";
import { language } from "./strings";
import { View } from "./view";

const client = new Client();
const view = new View();

document.documentElement.lang = language;
render(<App client={client} view={view} />, document.body);
bindKeys(client, view);
client.connection.start();

/** A network that comes back, or a user, is worth a try at once, not after the back-off. */
function retryAtOnce(): void {
  if (client.connection.status.peek().state === "retrying" && !document.hidden) client.connection.start();
}
addEventListener("online", retryAtOnce);
document.addEventListener("visibilitychange", retryAtOnce);
