/** Stores the drawing as one record in this browser's database. Doesn't know when. */

import { Records } from "../browser/database";
import type { DrawingStore, KeptDrawing } from "./keeper";

const KEY = "newest";

const records = new Records<KeptDrawing>("realtime", "drawings");

export const browserStore: DrawingStore = {
  read: () => records.read(KEY),
  write: (kept) => records.write(KEY, kept),
};
