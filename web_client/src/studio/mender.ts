/** Puts right what the server refused of a look for its pictures or nets: brings them again, or leaves them out. */

import type { NoteKind } from "../languages/strings";
import { picturesOf, withoutPictures } from "../looks/blend";
import type { PicturesThere } from "../looks/pictures";
import { referencesOf } from "../looks/references";
import { known, rowsOf, sourcesOf } from "../params/control";
import type { ParamsStore } from "../params/params";
import type { ControlNet, Value } from "../protocol";

export interface MenderOptions {
  params: Pick<ParamsStore, "shown" | "inForce" | "amend" | "resend" | "refuse">;
  bringAgain: (ids: readonly string[]) => Promise<PicturesThere>;
  hearsPictures: (field: "prompt" | "references") => boolean;
  nets: () => readonly ControlNet[];
  say: (note: NoteKind) => void;
  /** What is said where a picture is neither on the server nor here. */
  missing: () => string;
}

/** The fields that may name pictures. */
const mended = ["prompt", "references", "control"] as const;
export type Mended = (typeof mended)[number];

export function isMended(field: string | undefined): field is Mended {
  return mended.some((one) => one === field);
}

export class Mender {
  readonly #options: MenderOptions;

  constructor(options: MenderOptions) {
    this.#options = options;
  }

  /** @param refusal in the server's words, which are shown where it was for something else. */
  async refused(field: Mended, refusal: string): Promise<void> {
    const { params, bringAgain, say, missing } = this.#options;
    const wanted = this.#wanted(field);
    if (this.#leaveOut(field, wanted)) {
      say(field === "control" ? "netLeftOut" : "pictureLeftOut");
      return params.resend();
    }
    const pictures = picturesIn(field, wanted);
    if (pictures.length === 0) return params.refuse(field, refusal);
    const outcome = await bringAgain(pictures).catch(() => "there" as const);
    // Another is on its way meanwhile; one that is only no longer waited for, is still wanted.
    const isOther = ![wanted, params.inForce.peek()?.[field]].some((one) => isSame(one, this.#wanted(field)));
    if (isOther) return;
    if (outcome === "brought") params.amend(field, wanted ?? "");
    else params.refuse(field, outcome === "missing" ? missing() : refusal);
    // What came in the same patch was refused with it.
    params.resend();
  }

  /** Takes away what this model can't have. Returns whether there was anything. */
  #leaveOut(field: Mended, wanted: Value | undefined): boolean {
    const { params, hearsPictures, nets } = this.#options;
    if (field === "control") {
      const [rows, there] = [rowsOf(wanted), known(rowsOf(wanted), nets())];
      if (there.length < rows.length) params.amend(field, there);
      return there.length < rows.length;
    }
    if (hearsPictures(field) || picturesIn(field, wanted).length === 0) return false;
    const heard = field === "references" ? [] : (withoutPictures(wanted) ?? params.inForce.peek()?.prompt);
    if (heard !== undefined) params.amend(field, heard);
    return true;
  }

  #wanted(field: Mended): Value | undefined {
    return this.#options.params.shown.peek()[field];
  }
}

/** The ids of the pictures that a field's value names. */
function picturesIn(field: Mended, wanted: Value | undefined): string[] {
  if (field === "control") return sourcesOf(rowsOf(wanted));
  return (field === "prompt" ? picturesOf(wanted) : referencesOf(wanted)).map(({ picture }) => picture);
}

function isSame(one: Value | undefined, other: Value | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
