/** The prompt: one text with a history, or several with weights. */

import { useRef } from "preact/hooks";
import { strings } from "../../languages/strings";
import * as blends from "../../looks/blend";
import { type Walk, walked } from "../../looks/prompt_history";
import type { TextControl } from "../../params/schema";
import { promptText } from "../../params/styles";
import { isPicture, type Value, type WeightedPrompt } from "../../protocol";
import type { Studio } from "../../studio/studio";
import { Icon } from "../widgets/icons";
import { useTextOf } from "../widgets/text_of";
import { Thumb } from "../widgets/thumb";

interface PromptProps {
  studio: Studio;
  control: TextControl;
}

export function PromptField({ studio, control }: PromptProps) {
  const { client } = studio;
  const value = client.params.shown.value[control.name];
  const error = client.params.errors.value[control.name];
  const blend = blends.blendOf(value);
  // Beside pictures alone there is always a place for words.
  const prompts = blend?.every(isPicture) ? blends.withAnother(blend) : blend;
  const words = strings.prompt;
  return (
    <div class="field prompt" data-kind="text" data-invalid={error !== undefined}>
      <div class="label-row">
        <label for="field-prompt">{strings.fields[control.name]?.title ?? control.title}</label>
        {(prompts?.length ?? 1) < blends.MAX_PROMPTS && (
          <button
            type="button"
            class="quiet small"
            onClick={() => client.params.edit(control.name, blends.withAnother(prompts ?? value), "sliding")}
          >
            <Icon name="plus" />
            {words.blend}
          </button>
        )}
      </div>
      {prompts ? (
        <PromptBlend studio={studio} control={control} prompts={prompts} count={blend?.length ?? 0} />
      ) : (
        <PromptText studio={studio} control={control} value={value} />
      )}
      <p id="field-prompt-note" class={error === undefined ? "hidden" : "error"} role={error ? "alert" : undefined}>
        {error ?? strings.fields[control.name]?.description ?? control.description}
      </p>
      {client.params.heard.value.map(({ message }) => (
        <p key={message} class="detail" role="status">
          {message}
        </p>
      ))}
    </div>
  );
}

function PromptText({ studio, control, value }: PromptProps & { value: Value | undefined }) {
  const { client, looks } = studio;
  const walk = useRef<Walk | null>(null);
  const inForce = promptText(client.params.inForce.value?.[control.name]);
  const { ref, onBlur } = useTextOf<HTMLTextAreaElement>(promptText(value), inForce, () => {
    client.params.leave(control.name);
    looks.remember(promptText(client.params.shown.peek()[control.name]));
  });
  const step = (event: KeyboardEvent, direction: "older" | "newer") => {
    const area = ref.current;
    if (!area || !isAtEdge(area, direction)) return;
    const found = walked(looks.prompts.peek(), walk.current ?? { back: 0, draft: area.value }, direction);
    if (!found) return;
    event.preventDefault();
    walk.current = found[0];
    area.value = found[1];
    client.params.edit(control.name, found[1], "sliding");
  };
  return (
    <textarea
      id="field-prompt"
      aria-describedby="field-prompt-note"
      ref={ref}
      rows={2}
      spellcheck={false}
      title={strings.prompt.recall}
      onBlur={onBlur}
      onInput={(event) => {
        walk.current = null;
        client.params.edit(control.name, event.currentTarget.value, "typing");
      }}
      onKeyDown={(event) => {
        if (event.key === "ArrowUp") step(event, "older");
        else if (event.key === "ArrowDown") step(event, "newer");
        else if (event.key === "Enter" && !event.shiftKey) {
          event.preventDefault();
          client.params.flush();
          looks.remember(event.currentTarget.value);
        }
      }}
    />
  );
}

/** In a text of several lines the arrows move between them first. */
function isAtEdge({ selectionStart, selectionEnd, value }: HTMLTextAreaElement, direction: "older" | "newer"): boolean {
  if (selectionStart !== selectionEnd) return false;
  return direction === "older"
    ? !value.slice(0, selectionStart).includes("\n")
    : !value.slice(selectionEnd).includes("\n");
}

interface BlendProps extends PromptProps {
  prompts: WeightedPrompt[];
  /** How many of them there are, without the place for words. */
  count: number;
}

function PromptBlend({ studio, control, prompts, count }: BlendProps) {
  const words = strings.prompt;
  const firstText = prompts.findIndex((part) => !isPicture(part));
  const edit = (value: Value, pace: "typing" | "sliding" = "sliding") =>
    studio.client.params.edit(control.name, value, pace);
  const isPair = prompts.length === 2;
  return (
    <div class="blend" data-pictured={isPair && prompts.some(isPicture)}>
      {prompts.map((part, index) => (
        <div key={index} class="blend-row">
          {isPicture(part) ? (
            <Thumb pictures={studio.client.pictures} id={part.picture} label={words.picture(index + 1)} />
          ) : (
            <textarea
              id={index === firstText ? "field-prompt" : undefined}
              aria-label={index === firstText ? undefined : words.numbered(index + 1)}
              rows={2}
              spellcheck={false}
              value={part.text}
              onInput={(event) => edit(blends.withText(prompts, index, event.currentTarget.value), "typing")}
              onBlur={(event) => studio.looks.remember(event.currentTarget.value)}
            />
          )}
          {index < count && (
            <button
              type="button"
              class="icon-only quiet"
              aria-label={words.remove(index + 1)}
              title={words.remove(index + 1)}
              onClick={() => edit(blends.without(prompts.slice(0, count), index))}
            >
              <Icon name="close" />
            </button>
          )}
          {!isPair && (
            <Weight
              label={words.weight(index + 1)}
              value={part.weight}
              change={(value) => edit(blends.withWeight(prompts, index, value))}
            />
          )}
        </div>
      ))}
      {isPair && (
        <label class="balance" data-midi="balance">
          <span>{words.balance}</span>
          <Weight
            label={words.balance}
            value={blends.balanceOf(prompts)}
            change={(value) => edit(blends.balanced(prompts, value))}
          />
        </label>
      )}
    </div>
  );
}

interface WeightProps {
  label: string;
  value: number;
  change: (value: number) => void;
}

function Weight({ label, value, change }: WeightProps) {
  return (
    <input
      type="range"
      aria-label={label}
      title={label}
      min={0}
      max={1}
      step={0.01}
      value={value}
      onInput={(event) => change(event.currentTarget.valueAsNumber)}
    />
  );
}
