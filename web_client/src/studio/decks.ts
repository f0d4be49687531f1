/** Puts the decks together: the first is the client's input, the clips are kept by this browser. Loaded when they are wanted. */

import { browserClock } from "../browser/clock";
import { Records } from "../browser/database";
import { onHiddenTick } from "../browser/hidden_ticks";
import { clipPicture } from "../sources/clip_picture";
import { type Clip, ClipBin } from "../sources/clips";
import { Decks, rememberedAt } from "../sources/decks";
import { Fader } from "../sources/fader";
import type { Client } from "./client";
import { FaderThere } from "./fader_there";

export interface OpenDecks {
  decks: Decks;
  there: FaderThere;
}

export function openDecks({ inputs, problems, shape, connection }: Client): OpenDecks {
  const clips = new ClipBin({
    clock: browserClock,
    clips: new Records<Clip>("realtime-clips", "clips"),
    files: new Records<Blob>("realtime-clip-files", "files"),
    look: clipPicture,
    newId: () => `${Date.now()}-${Math.random()}`,
    now_ms: Date.now,
    mention: (problem, detail) => problems.mention(problem, detail),
  });
  const fader = new Fader(browserClock, onHiddenTick);
  // Before others' moves are followed: what the page was at is older.
  fader.set(rememberedAt());
  const decks = new Decks({
    clock: browserClock,
    problems,
    inputs,
    fader,
    clips,
    size: () => shape.peek(),
  });
  void clips.restore().then(() => decks.resume());
  const tell = (at: number) => connection.send({ type: "command", command: "crossfade", at });
  return { decks, there: new FaderThere({ clock: browserClock, fader, tell }) };
}
