/** The plain HTTP requests about the server's LoRAs. Loaded with the sheet that shows them. */

import { beside } from "../browser/beside";
import { detailOf } from "./requests";

/** What the server's model wears, and what else it may. */
export interface LorasTold {
  takes_loras: boolean | null;
  loras: readonly { name: string; weight: number }[];
  available: readonly string[];
  notes: readonly string[];
}

/** Rejects with the server's reason. */
export async function fetchLoras(): Promise<LorasTold> {
  return told(await fetch(beside("api/loras"), { cache: "no-store" }));
}

/** Changes weights; null takes a LoRA off. Answered when pictures have it; rejects with the server's reason. */
export async function patchLoras(loras: Readonly<Record<string, number | null>>): Promise<LorasTold> {
  return told(await fetch(beside("api/loras"), { method: "PATCH", body: JSON.stringify({ loras }) }));
}

async function told(response: Response): Promise<LorasTold> {
  if (!response.ok) throw new Error(await detailOf(response));
  return (await response.json()) as LorasTold;
}
