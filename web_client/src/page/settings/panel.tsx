/** The settings: one control for each field of the params' schema, the prompt, the styles and the strength first, then those of a group together. */

import { strings } from "../../languages/strings";
import { whyNoEffect } from "../../looks/no_effect";
import { type Group, groups } from "../../params/ready_made";
import type { Control } from "../../params/schema";
import type { Studio } from "../../studio/studio";
import { ControlFold } from "./control_fold";
import { Field } from "./fields";
import { Fold } from "./fold";
import { GroupFold } from "./group";
import { MoodChips } from "./mood_chips";
import { PresetsRow } from "./presets_row";
import { PromptField } from "./prompt_field";
import { References } from "./references";
import { SizeChooser } from "./size_chooser";
import { StyleChooser } from "./style_chooser";
import { TryStrengths } from "./try_strengths";

/** The group of the targets that the server keeps to by itself, and of what it may give up for them. */
const AUTOMATIC = "automatic";

export function Panel({ studio }: { studio: Studio }) {
  const { client, looks, view } = studio;
  const controls = client.controls.value;
  const field = (control: Control) => {
    const why = whyNoEffect(control.name, client.abilities.value, client.params.shown.value);
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
  const strength = controls.find(({ name }) => name === "strength");
  const rest = controls.filter((control) => control !== prompt && control !== strength);
  const isGrouped = (group: string | null) => group === AUTOMATIC || groups.some((one) => one === group);
  const of = (group: string) => rest.filter((control) => control.group === group);
  const folded = (group: Group) => (
    <GroupFold key={group} studio={studio} group={group} controls={controls.filter((one) => one.group === group)}>
      {of(group).map(field)}
    </GroupFold>
  );
  const ungrouped = rest.filter(({ group }) => !isGrouped(group));
  const more = ungrouped.filter(({ isPrimary }) => !isPrimary);
  return (
    <>
      {controls.length === 0 && <p class="detail">{strings.panel.loading}</p>}
      <form onSubmit={(event) => event.preventDefault()}>
        {prompt?.kind === "text" ? <PromptField studio={studio} control={prompt} /> : prompt && field(prompt)}
        <StyleChooser studio={studio} />
        <References studio={studio} />
        {strength && (
          <div class="how-far">
            {field(strength)}
            <TryStrengths studio={studio} />
          </div>
        )}
        {folded("amount")}
        <SizeChooser studio={studio} />
        <MoodChips client={client} />
        {controls.length > 0 && <PresetsRow studio={studio} />}
        <ControlFold studio={studio} />
        {groups.filter((group) => group !== "amount").map(folded)}
        {ungrouped.filter(({ isPrimary }) => isPrimary).map(field)}
        {of(AUTOMATIC).length > 0 && (
          <Fold view={view} name={AUTOMATIC} title={strings.panel.automatic}>
            <GovernorNote studio={studio} />
            {of(AUTOMATIC).map(field)}
          </Fold>
        )}
        {more.length > 0 && (
          <Fold view={view} name="more" title={strings.panel.more}>
            {more.map(field)}
          </Fold>
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
