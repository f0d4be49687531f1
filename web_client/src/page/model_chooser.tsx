/** What the operator alone may do, for everybody on the server: another model, and how far it is; the LoRAs' sheet. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { beside } from "../browser/beside";
import { fetchLoras } from "../connection/lora_requests";
import { detailOf } from "../connection/requests";
import { reasonOf } from "../languages/reason";
import { strings } from "../languages/strings";
import { Select } from "./widgets/select";

const LOOK_EVERY_MS = 500;
const DISSOLVES_S = [0, 0.5, 2, 5];
const NO_MEMORY = 507;
const ENDS: readonly Swap["state"][] = ["done", "failed", "cancelled"];
/** It ends by itself, soon. */
const ENDING: readonly Swap["state"][] = ["moving", "cancelling"];

interface Shelved {
  name: string;
  title: string;
  here: boolean;
  download_gb: number;
}

interface Swap {
  name: string;
  state: keyof typeof strings.model.states;
  stage: string;
  percent: number | null;
  reason?: string;
}

interface Told {
  model: string;
  models: Shelved[];
  swap: Swap | null;
}

/** The models, and the newest change; null where this page's owner may not change the model. */
async function fetchModels(): Promise<Told | null> {
  const response = await fetch(beside("api/models"), { cache: "no-store" });
  return response.ok ? ((await response.json()) as Told) : null;
}

export function ModelChooser({ showLoras }: { showLoras: () => void }) {
  const words = strings.model;
  const told = useSignal<Told | null>(null);
  const wanted = useSignal<string | null>(null);
  const dissolve_s = useSignal(0.5);
  const refusal = useSignal<{ text: string; isMemory: boolean } | null>(null);
  /** A change that ended before this was opened is no news. */
  const isNews = useSignal(false);
  useEffect(() => {
    const look = () => void fetchModels().then((found) => (told.value = found), () => {});
    look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const takesLoras = useSignal<boolean | null>(null);
  useEffect(() => {
    if (told.value) void fetchLoras().then(({ takes_loras }) => (takesLoras.value = takes_loras), () => {});
  }, [told.value?.model]);
  if (!told.value) return null;
  const { model, models, swap } = told.value;
  const isChanging = swap !== null && !ENDS.includes(swap.state);
  const chosen = wanted.value ?? (isChanging ? swap.name : model);
  const ask = async (method: string, body: string | null = null) => {
    refusal.value = null;
    isNews.value = true;
    try {
      const response = await fetch(beside("api/model"), { method, body });
      if (!response.ok) refusal.value = { text: await detailOf(response), isMemory: response.status === NO_MEMORY };
      told.value = (await fetchModels()) ?? told.value;
    } catch (error) {
      refusal.value = { text: reasonOf(error), isMemory: false };
    }
  };
  const change = (free_first: boolean) =>
    ask("POST", JSON.stringify({ name: chosen, dissolve_s: dissolve_s.value, free_first }));
  return (
    <>
      <fieldset class="model-chooser">
        <legend>{words.title}</legend>
        <Select
          label={words.title}
          value={chosen}
          options={models.map((each) => [
            each.name,
            each.here ? each.name : `${each.name}: ${words.download(each.download_gb.toFixed(1))}`,
          ])}
          choose={(name) => {
            wanted.value = name;
            refusal.value = null;
          }}
        />
        <p class="detail">{models.find((each) => each.name === chosen)?.title}</p>
        <Select
          label={words.dissolve}
          value={String(dissolve_s.value)}
          options={DISSOLVES_S.map((each) => [String(each), words.seconds(each)])}
          choose={(seconds) => {
            dissolve_s.value = Number(seconds);
          }}
        />
        <button type="button" disabled={isChanging || chosen === model} onClick={() => void change(false)}>
          {words.change}
        </button>
        {refusal.value?.isMemory && (
          <button type="button" onClick={() => void change(true)}>
            {words.freeFirst}
          </button>
        )}
        <p role="status">{refusal.value ? refusal.value.text : swap && (isChanging || isNews.value) && said(swap)}</p>
        {isChanging && <progress aria-label={words.states[swap.state]} max={100} value={swap.percent ?? undefined} />}
        {isChanging && !ENDING.includes(swap.state) && (
          <button type="button" onClick={() => void ask("DELETE")}>
            {words.cancel}
          </button>
        )}
      </fieldset>
      <button type="button" disabled={takesLoras.value === false} onClick={showLoras}>
        {strings.loras.title}
      </button>
      {takesLoras.value === false && <p class="detail">{strings.loras.none}</p>}
    </>
  );
}

function said({ name, state, stage, percent, reason }: Swap): string {
  const rest = reason ?? (percent === null ? stage : `${stage} (${percent.toFixed(0)} %)`);
  return [`${strings.model.states[state]}: ${name}`, rest].filter(Boolean).join(" – ");
}
