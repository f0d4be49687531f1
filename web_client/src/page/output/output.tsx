/** The pane of the output: what comes out, over the input or beside it, with its tools below. */

import { strings } from "../../languages/strings";
import { blends } from "../../program/mix";
import type { Studio } from "../../studio/studio";
import type { View } from "../../studio/view";
import { Icon, type IconName } from "../widgets/icons";
import { Mount } from "../widgets/mount";
import { RecordingTools, RewindStrip } from "./keep_tools";

export function Output({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  const isOver = view.layout.value === "over" && !view.isCut.value;
  const isPast = studio.keep.moments.value !== null;
  const shown = view.isCut.value ? studio.cut : isPast ? studio.keep.past : client.player.view.value;
  const wipes = view.blend.value === "wipe";
  return (
    <section class="pane" aria-labelledby="output-title">
      <div class="pane-head">
        <h2 id="output-title">{strings.panes.output}</h2>
        {view.layout.value === "over" && <Blending view={view} />}
      </div>
      <div
        class="picture output"
        data-over={isOver ? view.blend.value : "none"}
        data-cut={view.isCut.value}
        style={{ "--wipe": view.wipe.value, "--opacity": view.opacity.value }}
      >
        <Mount element={shown} label={strings.panes.output} />
        {!client.player.hasPicture.value && !view.isCut.value && <p class="waiting">{strings.panes.waiting}</p>}
        {isOver && wipes && <MixSlider view={view} class="wipe" />}
        <Badges studio={studio} />
      </div>
      <RewindStrip studio={studio} />
      <OutputTools studio={studio} />
    </section>
  );
}

/** Says aloud what is not as usual on the screen. */
function Badges({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  return (
    <div class="badges" role="status">
      {view.isPanicked.value && <p class="badge danger">{strings.panes.panicked}</p>}
      {view.isBypassed.value && <p class="badge">{strings.panes.bypassed}</p>}
      {studio.keep.moments.value && <p class="badge">{strings.keep.past}</p>}
      {client.server.isFrozen.value && <p class="badge">{strings.panes.frozen}</p>}
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

/** The slider of opacity or wipe; as a wipe its thumb is the line between input and output. */
function MixSlider({ view, class: name }: { view: View; class: string }) {
  const { amount } = view;
  return (
    <input
      type="range"
      class={name}
      aria-label={strings.panes.blends[view.blend.value]}
      title={`${strings.panes.blends[view.blend.value]} (< >)`}
      min={0}
      max={1}
      step={0.005}
      value={amount.value}
      onInput={(event) => {
        amount.value = event.currentTarget.valueAsNumber;
      }}
    />
  );
}

function OutputTools({ studio }: { studio: Studio }) {
  const { client, view, window, pictureInPicture, actions } = studio;
  const words = strings.actions;
  const isFrozen = client.server.isFrozen.value;
  return (
    <div class="tools" role="group" aria-label={words.label}>
      <ToolButton
        icon={isFrozen ? "play" : "freeze"}
        name={words.freeze}
        shortcut={strings.keys.space}
        isOn={isFrozen}
        isOff={!isFrozen && client.connection.status.value.state !== "open"}
        press={actions.freeze}
      />
      <ToolButton
        icon="bypass"
        name={words.bypass}
        shortcut="B"
        isOn={view.isBypassed.value}
        press={actions.bypass}
      />
      <ToolButton
        icon="panic"
        name={words.panic}
        shortcut="P"
        isOn={view.isPanicked.value}
        press={actions.panic}
      />
      <ToolButton icon="snapshot" name={words.snapshot} shortcut="S" press={actions.snapshot} />
      <RecordingTools studio={studio} />
      <ToolButton
        icon="rewind"
        name={strings.keep.rewind}
        shortcut="Z"
        isOn={studio.keep.moments.value !== null}
        press={actions.rewind}
      />
      <span class="spacer" />
      <ToolButton isSmall icon="dice" name={words.newSeed} shortcut="R" press={actions.seed} />
      {document.fullscreenEnabled && (
        <ToolButton isSmall icon="fullscreen" name={words.fullscreen} shortcut="F" press={actions.fullscreen} />
      )}
      <ToolButton
        isSmall
        icon="window"
        name={words.window}
        shortcut="O"
        isOn={window.isOpen.value}
        press={actions.window}
      />
      {pictureInPicture.isAvailable && (
        <ToolButton
          isSmall
          icon="pictureInPicture"
          name={words.pictureInPicture}
          isOn={pictureInPicture.isOpen.value}
          press={() => void studio.togglePictureInPicture()}
        />
      )}
    </div>
  );
}

interface ToolButtonProps {
  icon: IconName;
  name: string;
  shortcut?: string;
  /** Of what is on or off; what happens once has none. */
  isOn?: boolean;
  /** Disabled: it needs the server, and there is none. */
  isOff?: boolean;
  /** Shows the icon alone; the name is said and shown on hover. */
  isSmall?: boolean;
  press: () => void;
}

function ToolButton({ icon, name, shortcut, isOn, isOff = false, isSmall = false, press }: ToolButtonProps) {
  return (
    <button
      type="button"
      class={isSmall ? "icon-only" : undefined}
      aria-pressed={isOn}
      aria-label={isSmall ? name : undefined}
      title={shortcut ? `${name} (${shortcut})` : name}
      disabled={isOff}
      onClick={press}
    >
      <Icon name={icon} />
      {!isSmall && name}
    </button>
  );
}
