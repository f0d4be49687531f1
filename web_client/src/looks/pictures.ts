/** Pictures that prompts name: brings them to the server, keeps them in this browser, and knows how they look. */

import { signal } from "@preact/signals";
import { kept, noteKept } from "../browser/kept";

/** The server keeps no more of it: what makes a style is in strokes and colours, not in size. */
export const PICTURE_SIDE_PX = 512;
/** About 60 KB each. */
const MAX_KEPT = 100;
const MAX_NAME_CHARS = 40;
const NAME = "pictures";

export interface BroughtPicture {
  id: string;
  /** Of its file, without its kind. */
  name: string;
}

/** What the server said of a prompt's pictures when it was asked for each. */
export type PicturesThere =
  /** It has them all. */
  | "there"
  /** It has them all again. */
  | "brought"
  /** Some are neither there nor here. */
  | "missing";

export interface PicturesOptions {
  /** Rejects what is no picture. */
  shrink: (file: Blob, side_px: number) => Promise<Blob>;
  /** Resolves with the picture's id, which is the same for the same picture; rejects with the server's reason. */
  send: (picture: Blob) => Promise<string>;
  /** Null where the server hasn't it. */
  fetch: (id: string) => Promise<Blob | null>;
  store: {
    read: (id: string) => Promise<Blob | null>;
    write: (id: string, picture: Blob) => Promise<void>;
    remove: (id: string) => Promise<void>;
  };
  onError: (problem: "noPicture" | "pictureRefused", detail?: string) => void;
}

export class Pictures {
  /** Those that were brought from here, newest first. */
  readonly brought = kept<readonly BroughtPicture[]>(NAME, readBrought, []);
  readonly isBusy = signal(false);
  /** Addresses that show them, by id; null where nobody has the picture any more. See `find`. */
  readonly urls = signal<ReadonlyMap<string, string | null>>(new Map());

  readonly #options: PicturesOptions;
  readonly #sought = new Set<string>();

  constructor(options: PicturesOptions) {
    this.#options = options;
  }

  /** Brings a file to the server: its id, or null where that failed, which is then said. */
  async bring(file: File): Promise<string | null> {
    const { shrink, send, onError } = this.#options;
    this.isBusy.value = true;
    try {
      const picture = await shrink(file, PICTURE_SIDE_PX).catch(() => null);
      if (!picture) {
        onError("noPicture");
        return null;
      }
      const id = await send(picture);
      this.#keep({ id, name: nameOf(file) }, picture);
      return id;
    } catch (error) {
      onError("pictureRefused", (error as Error).message);
      return null;
    } finally {
      this.isBusy.value = false;
    }
  }

  /** Brings those again that the server has lost and this browser has. */
  async bringAgain(ids: readonly string[]): Promise<PicturesThere> {
    let outcome: PicturesThere = "there";
    for (const id of new Set(ids)) {
      if (await this.#options.fetch(id)) continue;
      const own = await this.#read(id);
      const isBrought = own !== null && (await this.#options.send(own).catch(() => null)) === id;
      if (!isBrought) return "missing";
      outcome = "brought";
    }
    return outcome;
  }

  /** Has `urls` say how a picture looks. */
  async find(id: string): Promise<void> {
    if (this.#sought.has(id)) return;
    this.#sought.add(id);
    const picture = (await this.#read(id)) ?? (await this.#options.fetch(id).catch(() => null));
    this.#show(id, picture);
    // It may come yet.
    if (!picture) this.#sought.delete(id);
  }

  #show(id: string, picture: Blob | null): void {
    this.urls.value = new Map(this.urls.peek()).set(id, picture && URL.createObjectURL(picture));
  }

  #keep(one: BroughtPicture, picture: Blob): void {
    const all = [one, ...this.brought.peek().filter(({ id }) => id !== one.id)];
    this.brought.value = all.slice(0, MAX_KEPT);
    const { store } = this.#options;
    const writing = [store.write(one.id, picture), ...all.slice(MAX_KEPT).map(({ id }) => store.remove(id))];
    void Promise.all(writing).then(
      () => noteKept(NAME),
      (error: unknown) => noteKept(NAME, error),
    );
    this.#sought.add(one.id);
    this.#show(one.id, picture);
  }

  async #read(id: string): Promise<Blob | null> {
    try {
      return await this.#options.store.read(id);
    } catch (error) {
      noteKept(NAME, error);
      return null;
    }
  }
}

function nameOf({ name }: File): string {
  return name.replace(/\.[^.]*$/, "").slice(0, MAX_NAME_CHARS);
}

function readBrought(value: unknown): readonly BroughtPicture[] | null {
  if (!Array.isArray(value)) return null;
  const all = value as (Partial<BroughtPicture> | null)[];
  return all.flatMap((one) =>
    typeof one?.id === "string" && typeof one.name === "string" ? { id: one.id, name: one.name } : [],
  );
}
