/** The stage: the result as large as there is room, the input where the layout has it. It is what goes full screen. */

import { arranged } from "../studio/stage";
import type { Studio } from "../studio/studio";
import { InputPicture } from "./input/input_picture";
import { InsetBar } from "./inset_bar";
import { RewindStrip } from "./output/keep_tools";
import { StyleLarge } from "./output/closer_look";
import { OutputPicture } from "./output/output_picture";
import { StrengthStrip } from "./output/strength_strip";

export function Stage({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  const kind = client.inputs.kind.value;
  const layout = view.layout.value;
  const spots = arranged(layout, view.inset.isSwapped(kind).value, kind !== null || client.inputs.mixed.value !== null);
  const { x, y } = view.inset.place.value;
  /** Only with the stage itself in focus, which a click gives it and Tab does not: nobody is kept here by the keyboard. */
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Tab" || event.shiftKey || event.target !== event.currentTarget) return;
    event.preventDefault();
    studio.actions.swap();
  };
  const bar = <InsetBar view={view} swap={studio.actions.swap} />;
  return (
    <div
      class="stage"
      tabIndex={-1}
      data-layout={layout}
      data-large={view.inset.isLarge.value}
      data-panicked={view.isPanicked.value}
      style={{ "--x": x, "--y": y }}
      onKeyDown={onKeyDown}
      ref={(element: HTMLElement | null) => {
        view.stage = element;
      }}
    >
      <InputPicture client={client} spot={spots.input}>
        {spots.input === "inset" && bar}
      </InputPicture>
      <OutputPicture studio={studio} spot={spots.output}>
        {spots.output === "inset" && bar}
      </OutputPicture>
      <StyleLarge studio={studio} />
      <StrengthStrip studio={studio} />
      <RewindStrip studio={studio} />
    </div>
  );
}
