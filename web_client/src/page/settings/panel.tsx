/** The settings: one control for each field of the params' schema, the prompt first. */

import { strings } from "../../languages/strings";
import { whyNoEffect } from "../../looks/no_effect";
import type { Control } from "../../params/schema";
import type { Studio } from "../../studio/studio";
import { Field } from "./fields";
import { PresetsRow } from "./presets_row";
import { PreviewStrip } from "./preview_strip";
import { PromptField } from "./prompt_field";
import { StyleChips } from "./style_chips";

/** Targets that the server keeps to by itself, and what it may give up for them. */
const AUTOMATIC = ["latency_ms", "min_fps", "min_steps", "min_scale", "min_quality", "skip_unchanged"];

export function Panel({ studio }: { studio: Studio }) {
  const { client, looks } = studio;
  const controls = client.settings.controls.value;
  const field = (control: Control) => {
    const why = whyNoEffect(control.name, client.server.guidance.value, client.params.shown.value);
    return (
      <Field
        key={control.name}
        control={control}
        value={client.params.shown.value[control.name]}
        inForce={client.params.inForce.value?.[control.name]}
        error={client.params.errors.value[control.name]}
        edit={(value, pace) => client.params.edit(control.name, value, pace)}
        leave={() => client.params.leave(control.name)}
        randomise={studio.actions.seed}
        seedLock={looks.isSeedLocked}
        noEffect={why && strings.noEffect[why]}
      />
    );
  };
  const prompt = controls.find(({ name }) => name === "prompt");
  const rest = controls.filter((control) => control !== prompt);
  const primary = rest.filter(({ isPrimary }) => isPrimary);
  const automatic = rest.filter(({ name }) => AUTOMATIC.includes(name));
  const more = rest.filter(({ isPrimary, name }) => !isPrimary && !AUTOMATIC.includes(name));
  return (
    <>
      {controls.length === 0 && <p class="detail">{strings.panel.loading}</p>}
      <form onSubmit={(event) => event.preventDefault()}>
        {prompt?.kind === "text" ? <PromptField studio={studio} control={prompt} /> : prompt && field(prompt)}
        <StyleChips client={client} />
        {controls.length > 0 && <PresetsRow studio={studio} />}
        {primary.filter(({ name }) => name === "strength").map(field)}
        {controls.length > 0 && <PreviewStrip studio={studio} />}
        {primary.filter(({ name }) => name !== "strength").map(field)}
        {automatic.length > 0 && (
          <details>
            <summary>{strings.panel.automatic}</summary>
            <GovernorNote studio={studio} />
            {automatic.map(field)}
          </details>
        )}
        {more.length > 0 && (
          <details>
            <summary>{strings.panel.more}</summary>
            {more.map(field)}
          </details>
        )}
      </form>
    </>
  );
}

/** The steps, size and quality that the server chose, with its reason. */
function GovernorNote({ studio: { client } }: { studio: Studio }) {
  const governor = client.server.governor.value;
  if (!governor) return null;
  const { steps, width, height, quality, reason } = governor;
  return (
    <p class="detail governor">
      {strings.panel.governed(steps, width, height, quality)}: {reason}.
    </p>
  );
}
