/** The MIDI controller's targets: one line for each setting, action, ready-made value and preset, with the knob that moves it. */

import { strings } from "../../languages/strings";
import { groups } from "../../params/ready_made";
import type { NumberControl } from "../../params/schema";
import type { Show } from "../../vj/show";
import { actions, amounts, targetOf } from "../../vj/targets";
import { Icon } from "../widgets/icons";

const MIDI_PRESETS = 9;

/** A setting's title in the page's language, or else the server's. */
export function titleOf({ name, title }: NumberControl): string {
  return strings.fields[name]?.title ?? title;
}

export function MidiPart({ show }: { show: Show }) {
  const words = strings.show;
  const { controller } = show;
  const state = controller.state.value;
  const presets = show.presets.value.slice(0, MIDI_PRESETS);
  const parts: [string | null, [string, string][]][] = [
    [
      null,
      [
        ...show.numbers.value.map((control): [string, string] => [control.name, titleOf(control)]),
        ...amounts.map((amount): [string, string] => [amount, words.amounts[amount]]),
        ...actions.map((action): [string, string] => [action, words.actions[action]]),
        ...presets.map(({ name }, index): [string, string] => [`preset ${index + 1}`, name]),
      ],
    ],
    ...groups.map((group): [string, [string, string][]] => [
      strings.groups[group],
      show.readyMadesOf(group).map((one): [string, string] => [targetOf(one), strings.readyMade[one.name]]),
    ]),
  ];
  const keys = new Map(Object.entries(controller.bindings.value).map(([key, target]) => [target, key]));
  return (
    <section aria-labelledby="show-midi">
      <h3 id="show-midi">MIDI</h3>
      {state !== "on" && (
        <>
          <button type="button" onClick={() => void controller.listen()}>
            {words.useMidi}
          </button>
          {state !== "off" && (
            <p class="error" role="alert">
              {words.midiProblems[state]}
            </p>
          )}
        </>
      )}
      {state === "on" &&
        parts.map(
          ([heading, targets]) =>
            targets.length > 0 && (
              <div key={heading}>
                {heading && <h4>{heading}</h4>}
                <ul class="midi">
                  {targets.map(([target, title]) => (
                    <li key={target}>
                      <span>{title}</span>
                      <button
                        type="button"
                        class="small"
                        aria-label={words.learn(title)}
                        aria-pressed={controller.learns.value === target}
                        onClick={() => {
                          controller.learns.value = controller.learns.value === target ? null : target;
                        }}
                      >
                        {controller.learns.value === target ? words.learning : (keys.get(target) ?? words.learnShort)}
                      </button>
                      <button
                        type="button"
                        class="icon-only quiet"
                        aria-label={words.forget(title)}
                        title={words.forget(title)}
                        disabled={!keys.has(target)}
                        onClick={() => controller.forget(target)}
                      >
                        <Icon name="close" />
                      </button>
                    </li>
                  ))}
                </ul>
              </div>
            ),
        )}
    </section>
  );
}
