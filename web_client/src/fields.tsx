/** One native, labelled control for each kind of field. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./icons";
import type { Pace } from "./params";
import type { Value } from "./protocol";
import type { ChoiceControl, Control, NumberControl, TextControl, ToggleControl } from "./schema";
import { strings } from "./strings";
import { promptText } from "./styles";

interface FieldProps<C extends Control = Control> {
  control: C;
  /** What to show: the user's edit, or else what is in force. */
  value: Value | undefined;
  inForce: Value | undefined;
  error: string | undefined;
  edit: (value: Value, pace: Pace) => void;
  leave: () => void;
  randomise: () => void;
}

export function Field(props: FieldProps) {
  const { control, error } = props;
  const id = `field-${control.name}`;
  return (
    <div class="field" data-kind={control.kind} data-invalid={error !== undefined}>
      <label for={id} title={control.description}>
        {control.title}
      </label>
      {inputFor(control, props, { id, "aria-invalid": error !== undefined, "aria-describedby": `${id}-note` })}
      <p
        id={`${id}-note`}
        class={error === undefined ? "hidden" : "error"}
        role={error === undefined ? undefined : "alert"}
      >
        {error ?? control.description}
      </p>
    </div>
  );
}

interface Naming {
  id: string;
  "aria-invalid": boolean;
  "aria-describedby": string;
}

function inputFor(control: Control, props: FieldProps, naming: Naming) {
  switch (control.kind) {
    case "text":
      return <TextInput {...props} control={control} naming={naming} />;
    case "number":
      return <NumberInput {...props} control={control} naming={naming} />;
    case "choice":
      return <ChoiceInput {...props} control={control} naming={naming} />;
    case "toggle":
      return <ToggleInput {...props} control={control} naming={naming} />;
  }
}

/**
 * Writes `shown` into an input, but leaves alone what is being typed until the focus goes. What somebody else changed
 * (another controller, a server that came back without our settings) is written under the focus too: else it would lie.
 */
function useTextOf<E extends HTMLInputElement | HTMLTextAreaElement>(
  shown: string,
  inForce: string,
  leave: () => void,
) {
  const ref = useRef<E>(null);
  const lastInForce = useRef(inForce);
  const write = (isForced: boolean) => {
    const element = ref.current;
    if (!element || element.value === shown) return;
    if (isForced || document.activeElement !== element) element.value = shown;
  };
  useLayoutEffect(() => {
    const hasChanged = lastInForce.current !== inForce;
    lastInForce.current = inForce;
    write(hasChanged && shown === inForce);
  });
  const onBlur = () => {
    leave();
    write(false);
  };
  return { ref, onBlur };
}

function TextInput({ control, value, inForce, edit, leave, naming }: FieldProps<TextControl> & { naming: Naming }) {
  const text = useTextOf<HTMLInputElement & HTMLTextAreaElement>(promptText(value), promptText(inForce), leave);
  const Tag = control.isMultiline ? "textarea" : "input";
  return (
    <>
      <Tag
        {...naming}
        {...text}
        rows={control.name === "prompt" ? 3 : 2}
        maxLength={control.maxLength ?? undefined}
        spellcheck={false}
        onInput={(event) => edit(event.currentTarget.value, "typing")}
      />
      {Array.isArray(value) && <p class="detail">{strings.panel.weighted}</p>}
    </>
  );
}

function NumberInput({
  control,
  value,
  inForce,
  edit,
  leave,
  randomise,
  naming,
}: FieldProps<NumberControl> & { naming: Naming }) {
  const { title, min, max, step, hasSlider, isSettled, isSeed } = control;
  const number = typeof value === "number" ? value : (min ?? 0);
  const text = useTextOf<HTMLInputElement>(numberText(number), numberText(inForce), leave);
  const bounds = { min: min ?? undefined, max: max ?? undefined, step };
  const take = (pace: Pace) => (event: { currentTarget: HTMLInputElement }) => {
    const typed = event.currentTarget.valueAsNumber;
    if (!Number.isNaN(typed)) edit(typed, pace);
  };
  const box = hasSlider
    ? { "aria-label": strings.panel.numberOf(title), "aria-invalid": naming["aria-invalid"] }
    : naming;
  return (
    <div class="number">
      {hasSlider && <input type="range" {...naming} {...bounds} value={number} onInput={take("sliding")} />}
      <input
        type="number"
        {...box}
        {...bounds}
        {...text}
        {...(isSettled ? { onChange: take("sliding") } : { onInput: take("typing") })}
      />
      {isSeed && (
        <button
          type="button"
          class="icon-only"
          aria-label={strings.panel.randomise}
          title={strings.panel.randomise}
          onClick={randomise}
        >
          <Icon name="dice" />
        </button>
      )}
    </div>
  );
}

/** Without the noise of binary fractions: 0.1 + 0.2 reads 0.3. */
function numberText(value: Value | undefined): string {
  return typeof value === "number" ? String(Number(value.toFixed(4))) : "";
}

function ChoiceInput({ control, value, edit, naming }: FieldProps<ChoiceControl> & { naming: Naming }) {
  return (
    <select
      {...naming}
      value={String(value)}
      onChange={(event) => {
        const option = control.options[event.currentTarget.selectedIndex];
        if (option !== undefined) edit(option, "sliding");
      }}
    >
      {control.options.map((option) => (
        <option key={option} value={String(option)}>
          {option}
        </option>
      ))}
    </select>
  );
}

function ToggleInput({ value, edit, naming }: FieldProps<ToggleControl> & { naming: Naming }) {
  return (
    <input
      type="checkbox"
      {...naming}
      checked={value === true}
      onChange={(event) => edit(event.currentTarget.checked, "sliding")}
    />
  );
}
