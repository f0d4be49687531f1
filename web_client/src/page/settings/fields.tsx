/** One native, labelled control for each kind of field. */

import type { Signal } from "@preact/signals";
import { strings } from "../../languages/strings";
import type { Pace } from "../../params/params";
import type { ChoiceControl, Control, NumberControl, TextControl, ToggleControl } from "../../params/schema";
import { promptText } from "../../params/styles";
import type { Value } from "../../protocol";
import { Icon } from "../widgets/icons";
import { useTextOf } from "../widgets/text_of";

interface FieldProps<C extends Control = Control> {
  control: C;
  /** What to show: the user's edit, or else what is in force. */
  value: Value | undefined;
  inForce: Value | undefined;
  error: string | undefined;
  edit: (value: Value, pace: Pace) => void;
  leave: () => void;
  randomise: () => void;
  seedLock: Signal<boolean>;
  /** Why this field does nothing now; null where it does something. */
  noEffect: string | null;
}

export function Field(props: FieldProps) {
  const { error, noEffect } = props;
  const control = { ...props.control, ...strings.fields[props.control.name] };
  const id = `field-${control.name}`;
  return (
    <div
      class="field"
      data-kind={control.kind}
      data-midi={control.kind === "number" && control.min !== null && control.max !== null ? control.name : undefined}
      data-invalid={error !== undefined} data-idle={noEffect !== null}
    >
      <label for={id} title={control.description}>
        {control.title}
      </label>
      {inputFor(
        control,
        { ...props, control },
        { id, "aria-invalid": error !== undefined, "aria-describedby": `${id}-note` },
      )}
      <p
        id={`${id}-note`}
        class={error !== undefined ? "error" : noEffect === null ? "hidden" : "detail"}
        role={error === undefined ? undefined : "alert"}
      >
        {error ?? noEffect ?? control.description}
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

function TextInput({ control, value, inForce, edit, leave, naming }: FieldProps<TextControl> & { naming: Naming }) {
  const text = useTextOf<HTMLInputElement & HTMLTextAreaElement>(promptText(value), promptText(inForce), leave);
  const Tag = control.isMultiline ? "textarea" : "input";
  return (
    <Tag
      {...naming}
      {...text}
      rows={2}
      spellcheck={false}
      onInput={(event) => edit(event.currentTarget.value, "typing")}
    />
  );
}

function NumberInput({
  control,
  value,
  inForce,
  edit,
  leave,
  randomise,
  seedLock,
  naming,
}: FieldProps<NumberControl> & { naming: Naming }) {
  const { title, min, max, step, hasSlider, isSettled, isSeed, isOptional } = control;
  const number = typeof value === "number" ? value : (min ?? 0);
  const shown = isOptional && value === null ? "" : numberText(number);
  const text = useTextOf<HTMLInputElement>(shown, numberText(inForce), leave);
  const bounds = { min: min ?? undefined, max: max ?? undefined, step };
  const take = (pace: Pace) => (event: { currentTarget: HTMLInputElement }) => {
    const typed = event.currentTarget.valueAsNumber;
    if (!Number.isNaN(typed)) edit(typed, pace);
    else if (isOptional && event.currentTarget.value === "") edit(null, pace);
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
        placeholder={isOptional ? strings.panel.none : undefined}
        {...(isSettled ? { onChange: take("sliding") } : { onInput: take("typing") })}
      />
      {isSeed && (
        <button
          type="button"
          class="icon-only"
          aria-label={strings.panel.randomise}
          title={`${strings.panel.randomise} (R)`}
          disabled={seedLock.value}
          onClick={randomise}
        >
          <Icon name="dice" />
        </button>
      )}
      {isSeed && (
        <button
          type="button"
          class="icon-only"
          aria-label={strings.panel.lockSeed}
          title={strings.panel.lockSeed}
          aria-pressed={seedLock.value}
          onClick={() => {
            seedLock.value = !seedLock.value;
          }}
        >
          <Icon name={seedLock.value ? "lock" : "unlock"} />
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
          {wordsFor(control.name)[option] ?? option}
        </option>
      ))}
    </select>
  );
}

/** What the values of a choice are called. */
function wordsFor(name: string): Readonly<Record<string, string>> {
  return (strings.values as Readonly<Record<string, Readonly<Record<string, string>>>>)[name] ?? {};
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
