/** The settings: one control for each field of the params' schema, the prompt first. */

import type { Client } from "./client";
import { Field } from "./fields";
import { strings } from "./strings";
import { StyleChips } from "./style_chips";

export function Panel({ client }: { client: Client }) {
  const controls = client.controls.value;
  const field = (control: (typeof controls)[number]) => (
    <Field
      key={control.name}
      control={control}
      value={client.params.shown.value[control.name]}
      inForce={client.params.inForce.value?.[control.name]}
      error={client.params.errors.value[control.name]}
      edit={(value, pace) => client.params.edit(control.name, value, pace)}
      leave={() => client.params.leave(control.name)}
      randomise={() => client.newSeed()}
    />
  );
  const primary = controls.filter((control) => control.isPrimary);
  const more = controls.filter((control) => !control.isPrimary);
  return (
    <section class="panel" id="settings" tabIndex={-1} aria-labelledby="panel-title">
      <h2 id="panel-title">{strings.panel.title}</h2>
      {controls.length === 0 && <p class="detail">{strings.panel.loading}</p>}
      <form onSubmit={(event) => event.preventDefault()}>
        {primary.filter(({ name }) => name === "prompt").map(field)}
        <StyleChips client={client} />
        {primary.filter(({ name }) => name !== "prompt").map(field)}
        {more.length > 0 && (
          <details>
            <summary>{strings.panel.more}</summary>
            {more.map(field)}
          </details>
        )}
      </form>
    </section>
  );
}
