/** Puts right what the server refused of a prompt or references for their pictures: brings them again, or leaves them out. */

import type { NoteKind } from "../languages/strings";
import { picturesOf, withoutPictures } from "../looks/blend";
import type { PicturesThere } from "../looks/pictures";
import { referencesOf } from "../looks/references";
import type { ParamsStore } from "../params/params";
import type { Value } from "../protocol";

export interface PromptMenderOptions {
  params: Pick<ParamsStore, "shown" | "inForce" | "amend" | "resend" | "refuse">;
  bringAgain: (ids: readonly string[]) => Promise<PicturesThere>;
  hearsPictures: (field: Pictured) => boolean;
  say: (note: NoteKind) => void;
  /** What is said where a picture is neither on the server nor here. */
  missing: () => string;
}

/** Fields of the params that name pictures. */
const pictured = ["prompt", "references"] as const;
type Pictured = (typeof pictured)[number];

export function isPictured(field: string | undefined): field is Pictured {
  return pictured.some((one) => one === field);
}

export class PromptMender {
  readonly #options: PromptMenderOptions;

  constructor(options: PromptMenderOptions) {
    this.#options = options;
  }

  /** @param refusal in the server's words, which are shown where it was not for a picture. */
  async refused(field: Pictured, refusal: string): Promise<void> {
    const { params, bringAgain, hearsPictures, say, missing } = this.#options;
    const wanted = this.#wanted(field);
    const pictures = field === "prompt" ? picturesOf(wanted) : referencesOf(wanted);
    if (pictures.length === 0) return params.refuse(field, refusal);
    if (!hearsPictures(field)) {
      const heard = field === "prompt" ? (withoutPictures(wanted) ?? params.inForce.peek()?.prompt) : [];
      if (heard !== undefined) params.amend(field, heard);
      say("pictureLeftOut");
      return params.resend();
    }
    const outcome = await bringAgain(pictures.map(({ picture }) => picture)).catch(() => "there" as const);
    // Another prompt is on its way meanwhile; one that is only no longer waited for, is still wanted.
    const isOther = ![wanted, params.inForce.peek()?.[field]].some((one) => isSame(one, this.#wanted(field)));
    if (isOther) return;
    if (outcome === "brought") params.amend(field, wanted ?? "");
    else params.refuse(field, outcome === "missing" ? missing() : refusal);
    // What came in the same patch was refused with it.
    params.resend();
  }

  #wanted(field: Pictured): Value | undefined {
    return this.#options.params.shown.peek()[field];
  }
}

function isSame(one: Value | undefined, other: Value | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
