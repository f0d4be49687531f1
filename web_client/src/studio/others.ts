/** Others who play this session: the server is told of this page's cuts, pads, tempo and crossfader, and theirs are followed. */

import { effect } from "@preact/signals";
import { browserClock } from "../browser/clock";
import { putPads } from "../connection/requests";
import { sessionName } from "../connection/session";
import type { Looks } from "../looks/looks";
import type { Air } from "../protocol";
import type { Show } from "../vj/show";
import type { Client } from "./client";
import type { Mixer } from "./mixer";
import { PadsThere } from "./played";
import type { View } from "./view";

interface Played {
  client: Client;
  view: View;
  looks: Looks;
  mixer: Mixer;
  openShow: () => Promise<Show>;
}

/**
 * Tells the server of this page's cuts, pads and tempo, and takes over what others command. A page that comes back takes
 * over what is on air: a panic that somebody commanded while it was away holds, unless it was another here meanwhile.
 */
export function followOthers({ client, view, looks, mixer, openShow }: Played): void {
  /** What page and server had on air together last. */
  let agreed: Air | null = null;
  view.air.subscribe((air) => {
    if (client.putOnAir(air)) agreed = air;
  });
  const pads = new PadsThere({
    clock: browserClock,
    presets: () => looks.presets.value,
    isSeedLocked: () => looks.isSeedLocked.value,
    put: (all) => putPads(sessionName(), all),
  });
  client.onReady = ({ air = "on_air", tempo, crossfade }, isFirst) => {
    const isMovedHere = !isFirst && view.air.peek() !== agreed;
    // A server that has lost the session has the output on air: then what the page has stands, too.
    if (air !== "on_air" && !isMovedHere) view.follow(air);
    else if (air !== view.air.peek()) client.putOnAir(view.air.peek());
    agreed = view.air.peek();
    pads.connected();
    void mixer.connected(crossfade);
    void openShow().then((show) => {
      const own = show.wireTempo;
      if (own) client.connection.send({ type: "command", command: "tempo", ...own });
      else if (tempo) show.follow(tempo);
    });
  };
  client.onState = ({ air, tempo, crossfade }) => {
    if (air) view.follow(air);
    if (crossfade) void mixer.follow(crossfade);
    if (tempo) void openShow().then((show) => show.follow(tempo));
  };
  effect(() => {
    if (client.params.inForce.value) looks.note(client.params.inForce.value, looks.presets.value);
  });
}
