/** The line below the stage: what is done with the picture that comes out. Panic stands apart. */

import { strings } from "../../languages/strings";
import type { Studio } from "../../studio/studio";
import type { PageAction } from "../../vj/targets";
import { type IconName, Icon } from "../widgets/icons";
import { RecordingTools } from "./keep_tools";

export function OutputTools({ studio }: { studio: Studio }) {
  const { client, view, window, pictureInPicture, actions } = studio;
  const words = strings.actions;
  const isFrozen = client.server.isFrozen.value;
  return (
    <div class="deck" role="group" aria-label={words.label}>
      <ToolButton
        icon={isFrozen ? "play" : "freeze"}
        name={words.freeze}
        shortcut={strings.keys.space}
        isOn={isFrozen}
        isOff={!isFrozen && client.connection.status.value.state !== "open"}
        midi="freeze"
        press={actions.freeze}
      />
      <ToolButton icon="bypass" name={words.bypass} shortcut="B" isOn={view.isBypassed.value} midi="bypass" press={actions.bypass} />
      <ToolButton icon="snapshot" name={words.snapshot} shortcut="S" midi="snapshot" press={actions.snapshot} />
      <RecordingTools studio={studio} />
      <ToolButton
        icon="rewind"
        name={strings.keep.rewind}
        shortcut="Z"
        isOn={studio.keep.moments.value !== null}
        midi="rewind"
        press={actions.rewind}
      />
      <ToolButton icon="dice" name={words.newSeed} shortcut="R" midi="seed" press={actions.seed} />
      {document.fullscreenEnabled && (
        <ToolButton icon="fullscreen" name={words.fullscreen} shortcut="F" press={actions.fullscreen} />
      )}
      <ToolButton icon="window" name={words.window} shortcut="O" isOn={window.isOpen.value} press={actions.window} />
      {pictureInPicture.isAvailable && (
        <ToolButton
          icon="pictureInPicture"
          name={words.pictureInPicture}
          isOn={pictureInPicture.isOpen.value}
          press={() => void studio.togglePictureInPicture()}
        />
      )}
      <ToolButton
        class="panic"
        icon="panic"
        name={words.panic}
        shortcut="P"
        isOn={view.isPanicked.value}
        midi="panic"
        press={actions.panic}
      />
    </div>
  );
}

interface ToolButtonProps {
  class?: string;
  icon: IconName;
  name: string;
  shortcut?: string;
  /** Of what is on or off; what happens once has none. */
  isOn?: boolean;
  /** Disabled: it needs the server, and there is none. */
  isOff?: boolean;
  /** By which a controller's key is learned for it. */
  midi?: PageAction;
  press: () => void;
}

function ToolButton({ icon, name, shortcut, isOn, isOff = false, midi, press, ...rest }: ToolButtonProps) {
  return (
    <button
      type="button"
      class={rest.class}
      aria-pressed={isOn}
      title={shortcut ? `${name} (${shortcut})` : name}
      disabled={isOff}
      data-midi={midi}
      onClick={press}
    >
      <Icon name={icon} />
      <span>{name}</span>
    </button>
  );
}
