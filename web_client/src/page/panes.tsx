/** The workspace: what goes in, the stage with both pictures, and what is done with the one that comes out. */

import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect } from "preact/hooks";
import { strings } from "../languages/strings";
import { blends, layouts } from "../program/mix";
import type { Studio } from "../studio/studio";
import type { View } from "../studio/view";
import type { DecksBar } from "./input/decks_bar";
import { SourceBar } from "./input/source_bar";
import { OutputTools } from "./output/output_tools";
import type { PerformBar } from "./show/perform_bar";
import { Stage } from "./stage";
import { IconButton } from "./widgets/icon_button";
import { Icon } from "./widgets/icons";
import { MixSlider } from "./widgets/mix_slider";

type DrawSheet = typeof import("./draw/sheet");

/** What one draws with, which is loaded when somebody does for the first time. */
const sheet = signal<DrawSheet | null>(null);

const loaded = signal<typeof PerformBar | null>(null);
const loadedDecks = signal<typeof DecksBar | null>(null);

export function Panes({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  const { width, height } = client.shape.value;
  const kind = client.inputs.kind.value;
  const draws = kind === "canvas" && sheet.value;
  useLayoutEffect(() => {
    if (kind === "canvas") void import("./draw/sheet").then((loaded) => (sheet.value = loaded));
  }, [kind]);
  useLayoutEffect(() => (draws ? draws.bindDrawKeys(client.inputs.canvas) : undefined), [draws]);
  return (
    <div
      class="panes"
      data-kind={kind ?? "none"}
      style={{ "--shape": `${width} / ${height}`, "--ratio": `${width / height}` }}
    >
      <div class="stage-head">
        {(kind || client.inputs.mixed.value) && !view.showsDecks.value && <SourceBar inputs={client.inputs} kind={kind} />}
        {view.layout.value === "over" && <Blending view={view} />}
        <div class="views">
          <IconButton
            icon="decks"
            label="Decks"
            shortcut="D"
            isPressed={view.showsDecks.value}
            press={studio.actions.decks}
          />
          <button
            type="button"
            class="icon-only"
            aria-label={strings.presets.pads}
            title={strings.presets.pads}
            aria-pressed={view.showsPads.value}
            onClick={() => {
              view.showsPads.value = !view.showsPads.value;
            }}
          >
            <Icon name="pads" />
          </button>
          <Layouts view={view} />
        </div>
      </div>
      {draws && <draws.DrawTools canvas={client.inputs.canvas} />}
      <Stage studio={studio} />
      {draws && <draws.DrawSide studio={studio} />}
      <OutputTools studio={studio} />
      {view.showsDecks.value && <Mixing studio={studio} />}
      {view.showsPads.value && <Performing studio={studio} />}
    </div>
  );
}

/** Both decks and the clips. */
function Mixing({ studio }: { studio: Studio }) {
  const [decks, Bar] = [studio.decks.value, loadedDecks.value];
  useEffect(() => {
    void import("./input/decks_bar").then(({ DecksBar, openDecks }) => {
      studio.decks.value ??= openDecks(studio.client);
      loadedDecks.value = DecksBar;
    });
  }, []);
  return decks && Bar ? <Bar studio={studio} decks={decks} /> : <div class="decks" />;
}

/** The pads and the beat, which come when the page has a session. */
function Performing({ studio }: { studio: Studio }) {
  const [show, Bar] = [studio.show.value, loaded.value];
  useEffect(() => {
    if (show) void import("./show/perform_bar").then(({ PerformBar }) => (loaded.value = PerformBar));
  }, [show]);
  return show && Bar ? <Bar studio={studio} show={show} /> : <div class="perform" />;
}

function Layouts({ view }: { view: View }) {
  return (
    <div class="segmented layouts" data-midi="layout" role="group" aria-label={strings.panes.layout}>
      {layouts.map((layout) => (
        <button
          key={layout}
          type="button"
          aria-pressed={view.layout.value === layout}
          aria-label={strings.panes[layout]}
          title={`${strings.panes[layout]} (L)`}
          onClick={() => {
            view.layout.value = layout;
          }}
        >
          <Icon name={layout} />
          <span class="label">{strings.panes[layout]}</span>
        </button>
      ))}
    </div>
  );
}

function Blending({ view }: { view: View }) {
  return (
    <div class="blending">
      {view.blend.value === "opacity" && <MixSlider view={view} class="opacity" />}
      <div class="segmented" role="group" aria-label={strings.panes.blend}>
        {blends.map((blend) => (
          <button
            key={blend}
            type="button"
            aria-pressed={view.blend.value === blend}
            onClick={() => {
              view.blend.value = blend;
            }}
          >
            {strings.panes.blends[blend]}
          </button>
        ))}
      </div>
    </div>
  );
}
