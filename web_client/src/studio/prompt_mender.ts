/** Puts right what the server refused in a prompt for its pictures: brings them again, or leaves them out. */

import type { NoteKind } from "../languages/strings";
import { picturesOf, withoutPictures } from "../looks/blend";
import type { PicturesThere } from "../looks/pictures";
import type { ParamsStore } from "../params/params";
import type { Value } from "../protocol";

export interface PromptMenderOptions {
  params: Pick<ParamsStore, "shown" | "inForce" | "amend" | "resend" | "refuse">;
  bringAgain: (ids: readonly string[]) => Promise<PicturesThere>;
  hearsPictures: () => boolean;
  say: (note: NoteKind) => void;
  /** What is said where a picture is neither on the server nor here. */
  missing: () => string;
}

const PROMPT = "prompt";

export class PromptMender {
  readonly #options: PromptMenderOptions;

  constructor(options: PromptMenderOptions) {
    this.#options = options;
  }

  /** @param refusal in the server's words, which are shown where it was not for a picture. */
  async refused(refusal: string): Promise<void> {
    const { params, bringAgain, hearsPictures, say, missing } = this.#options;
    const wanted = this.#wanted;
    const pictures = picturesOf(wanted);
    if (pictures.length === 0) return params.refuse(PROMPT, refusal);
    if (!hearsPictures()) {
      const heard = withoutPictures(wanted) ?? params.inForce.peek()?.prompt;
      if (heard !== undefined) params.amend(PROMPT, heard);
      say("pictureLeftOut");
      return params.resend();
    }
    const outcome = await bringAgain(pictures.map(({ picture }) => picture)).catch(() => "there" as const);
    // Another prompt is on its way meanwhile; one that is only no longer waited for, is still wanted.
    const isOther = ![wanted, params.inForce.peek()?.prompt].some((one) => isSame(one, this.#wanted));
    if (isOther) return;
    if (outcome === "brought") params.amend(PROMPT, wanted ?? "");
    else params.refuse(PROMPT, outcome === "missing" ? missing() : refusal);
    // What came in the same patch was refused with it.
    params.resend();
  }

  get #wanted(): Value | undefined {
    return this.#options.params.shown.peek()[PROMPT];
  }
}

function isSame(one: Value | undefined, other: Value | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
