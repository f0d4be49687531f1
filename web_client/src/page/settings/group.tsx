/** A group of settings that belong together: what is ready made of them, and behind it each one. */

import type { ComponentChildren } from "preact";
import { strings } from "../../languages/strings";
import { available, type Group, isOn, type ReadyMade } from "../../params/ready_made";
import type { Control } from "../../params/schema";
import type { Studio } from "../../studio/studio";
import { Fold } from "./fold";

interface GroupProps {
  studio: Studio;
  group: Group;
  /** Those of the group. */
  controls: readonly Control[];
  children: ComponentChildren;
}

export function GroupFold({ studio, group, controls, children }: GroupProps) {
  if (controls.length === 0) return null;
  const title = strings.groups[group];
  const readyMades = available(controls);
  const shown = studio.client.params.shown.value;
  const isChanged = controls.some(({ name, neutral }) => neutral !== undefined && shown[name] !== neutral);
  const on = readyMades.filter((one) => isOn(one, shown, controls));
  const words = (one: ReadyMade) => strings.readyMade[one.name];
  return (
    <Fold
      view={studio.view}
      name={group}
      title={title}
      state={isChanged ? on.map(words).join(", ") || strings.panel.changed : undefined}
    >
      {readyMades.length > 0 && (
        <div class="chips" role="group" aria-label={title}>
          {readyMades.map((one) => (
            <button
              key={one.name}
              type="button"
              class="chip"
              aria-pressed={on.includes(one)}
              data-midi={`ready ${one.name}`}
              onClick={() => studio.client.settings.toggle(one)}
            >
              {words(one)}
            </button>
          ))}
        </div>
      )}
      {children}
    </Fold>
  );
}
