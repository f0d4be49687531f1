/** The line above the stage: which source, and its tools. Those of the drawing are in `draw_tools`. */

import { strings } from "../../languages/strings";
import { type SourceKind, sourceKinds } from "../../sources/source";
import type { Client } from "../../studio/client";
import { FileButton } from "../widgets/file_button";
import { type IconName, Icon } from "../widgets/icons";
import { CameraTools, FileTools, ScreenTools } from "./source_tools";

export const icons: Record<SourceKind, IconName> = { camera: "camera", screen: "screen", file: "file", canvas: "brush" };
export const ACCEPT = "image/*,video/*,.mkv";

export function SourceBar({ client, kind }: { client: Client; kind: SourceKind }) {
  return (
    <div class="source-bar" data-draw-keys={kind === "canvas"}>
      <div class="segmented" role="group" aria-label={strings.source.title}>
        {sourceKinds.map((each) => (
          <SourceButton key={each} client={client} kind={each} isPressed={kind === each} />
        ))}
      </div>
      {kind === "camera" && <CameraTools camera={client.inputs.camera} choose={(id) => void client.inputs.useCameraDevice(id)} />}
      {kind === "screen" && <ScreenTools choose={() => void client.inputs.useOtherScreen()} />}
      {kind === "file" && <FileTools source={client.inputs.file} accept={ACCEPT} take={(file) => void client.inputs.open(file)} />}
    </div>
  );
}

interface SourceButtonProps {
  client: Client;
  kind: SourceKind;
  isPressed: boolean;
}

function SourceButton({ client, kind, isPressed }: SourceButtonProps) {
  const label = strings.source[kind];
  const content = (
    <>
      <Icon name={icons[kind]} />
      <span class="label">{label}</span>
    </>
  );
  if (kind === "file" && client.inputs.file.isEmpty) {
    return (
      <FileButton accept={ACCEPT} label={label} isPressed={isPressed} take={(file) => void client.inputs.open(file)}>
        {content}
      </FileButton>
    );
  }
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      aria-pressed={isPressed}
      onClick={() => void client.inputs.use(kind)}
    >
      {content}
    </button>
  );
}
