/** The knobs and keys that were learned, and what each is for. */

import { strings } from "../../languages/strings";
import type { NumberControl } from "../../params/schema";
import type { Show } from "../../vj/show";
import { actions, amounts, rowOfTarget, targetOf } from "../../vj/targets";
import { IconButton } from "../widgets/icon_button";

/** A setting's title in the page's language, or else the server's. */
export function titleOf({ name, title }: NumberControl): string {
  return strings.fields[name]?.title ?? title;
}

/** What a target is called. One that this model has not is called by its name. */
export function titleOfTarget(show: Show, target: string): string {
  const words = strings.show;
  const control = show.numbers.value.find(({ name }) => name === target);
  const action = actions.find((each) => each === target);
  const amount = amounts.find((each) => each === target);
  const ready = show.readyMades.value.find((one) => targetOf(one) === target);
  const [, kind, number] = /^(preset|clip) (\d+)$/.exec(target) ?? [];
  const row = rowOfTarget(target);
  if (control) return titleOf(control);
  if (action) return words.actions[action];
  if (amount) return words.amounts[amount];
  if (ready) return strings.readyMade[ready.name];
  if (kind === "clip") return `Clip ${number}`;
  if (row !== undefined) return `${strings.control.net(row)}: ${strings.control.weight}`;
  return number ? strings.perform.pad(Number(number)) : target;
}

export function MidiPart({ show }: { show: Show }) {
  const words = strings.show;
  const { controller } = show;
  const state = controller.state.value;
  const bindings = Object.entries(controller.bindings.value);
  return (
    <section aria-labelledby="show-midi">
      <h3 id="show-midi">MIDI</h3>
      {state !== "on" && (
        <button type="button" onClick={() => void controller.listen()}>
          {words.useMidi}
        </button>
      )}
      {(state === "refused" || state === "missing") && (
        <p class="error" role="alert">
          {words.midiProblems[state]}
        </p>
      )}
      {state === "on" && (
        <button type="button" aria-pressed={controller.isLearning.value} onClick={() => void controller.toggleLearning()}>
          {strings.perform.learnHint}
        </button>
      )}
      {controller.hearsClock.value && <p class="detail">{strings.perform.byClock}</p>}
      {bindings.length > 0 && (
        <ul class="midi">
          {bindings.map(([key, target]) => (
            <li key={key}>
              <span>{titleOfTarget(show, target)}</span>
              <span class="figure">{key}</span>
              <IconButton icon="close" label={words.forget(titleOfTarget(show, target))} press={() => controller.forget(target)} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
