/**
 * What would become of this moment's picture: a tile for each style, and the picture at several strengths. Each is made in a
 * session of its own, which the one on air doesn't notice.
 */

import { computed, effect } from "@preact/signals";
import { socketBeside } from "../browser/beside";
import { browserClock } from "../browser/clock";
import { endSession } from "../connection/requests";
import { newSessionName } from "../connection/session";
import { dialWebSocket } from "../connection/websocket";
import { lookOf } from "../looks/look";
import { preview, STRENGTHS } from "../looks/preview";
import { bestFirst } from "../params/styles";
import type { Frame } from "../protocol";
import { fittedJpeg } from "../sources/crop";
import type { Picture } from "../sources/source";
import type { Client } from "./client";
import { CloserLook } from "./closer_look";
import stockPicture from "./stock.webp";
import { StyleTiles } from "./style_tiles";
import { Tries } from "./tries";

/** In times of what a tile took: see `PreviewOptions.rests`. */
const TILE_RESTS = 20;
/** A camera has come to itself by then. */
const TILES_AFTER_MS = 1500;

/** A session of its own for a moment, of which nobody asks anything afterwards. */
const beside = {
  clock: browserClock,
  dial: dialWebSocket(() => socketBeside({ session: `preview-${newSessionName()}` })),
  onOver: (session: string) => void endSession(session),
};

/** What a tile shows: a style of this name, or a picture that was brought. */
export interface StylePicture {
  /** As it is written on the tile. */
  name: string;
  style?: string;
  picture?: string;
}

export class Previews {
  readonly tries = new Tries((onPicture) => this.#preview(onPicture));
  readonly tiles = new StyleTiles((jpeg, looks, onPicture, abort) =>
    preview({ ...beside, jpeg, looks, rests: TILE_RESTS, onPicture, abort }),
  );
  readonly closerLook = new CloserLook<StylePicture>(browserClock);
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
    this.#keepTiles();
  }

  /** Has the styles' tiles made anew, of the picture of this moment. */
  renew(): void {
    this.tiles.forget();
    void this.#followTiles();
  }

  /** Has this moment's picture made at several strengths; resolves with whether there was one, and it was. */
  async #preview(onPicture: (index: number, frame: Frame) => void): Promise<boolean> {
    const { inputs, params, problems } = this.#client;
    const [picture, inForce] = [inputs.picture(), params.inForce.peek()];
    if (!picture || !inForce) {
      problems.mention("noPreview");
      return false;
    }
    const { width, height } = inForce;
    try {
      const look = { ...lookOf(inForce), width, height };
      await preview({
        ...beside,
        jpeg: await fittedJpeg(picture, width, height),
        looks: STRENGTHS.map((strength) => ({ ...look, strength })),
        rests: 0,
        onPicture,
      });
      return true;
    } catch (error) {
      problems.mention("previewFailed", (error as Error).message);
      return false;
    }
  }

  /** The styles' tiles are made when the page has a server, and anew for each input. */
  #keepTiles(): void {
    const client = this.#client;
    const isWanted = computed(() => client.connection.status.value.state === "open" && client.server.styles.value.styles);
    effect(() => {
      client.inputs.kind.value;
      return isWanted.value ? browserClock.after(TILES_AFTER_MS, () => void this.#followTiles()) : undefined;
    });
  }

  async #followTiles(): Promise<void> {
    const { inputs, params, server } = this.#client;
    const { styles } = server.styles.peek();
    const inForce = params.inForce.peek();
    if (!styles || !inForce) return;
    const kind = inputs.kind.peek();
    const jpeg = async (width: number, height: number) => {
      // Paper is white at first: of that all styles make the same.
      const isStock = kind === null || kind === "canvas";
      const picture = isStock ? await stock() : inputs.picture();
      return picture && fittedJpeg(picture, width, height);
    };
    const again_ms = await this.tiles.follow({ name: kind ?? "stock", jpeg }, bestFirst(styles), inForce);
    if (again_ms !== null) browserClock.after(again_ms, () => void this.#followTiles());
  }
}

async function stock(): Promise<Picture> {
  const image = await createImageBitmap(await (await fetch(stockPicture)).blob());
  return { image, width: image.width, height: image.height, mirrored: false };
}
