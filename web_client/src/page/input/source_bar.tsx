/** The line above the stage: which source, and its tools. Those of the drawing are in `draw_tools`. */

import { strings } from "../../languages/strings";
import type { Inputs } from "../../sources/inputs";
import { type SourceKind, sourceKinds } from "../../sources/source";
import { FileButton } from "../widgets/file_button";
import { type IconName, Icon } from "../widgets/icons";
import { CameraTools, FileTools, ScreenTools } from "./source_tools";

export const icons: Record<SourceKind, IconName> = { camera: "camera", screen: "screen", file: "file", canvas: "brush" };
export const ACCEPT = "image/*,video/*,.mkv";

interface SourceBarProps {
  inputs: Inputs;
  kind: SourceKind | null;
  /** What the choices are called, where there are two of them. */
  title?: string;
  /** Whether a video's own bar for its position is left out. */
  isTrimmed?: boolean;
}

export function SourceBar({ inputs, kind, title = strings.source.title, isTrimmed = false }: SourceBarProps) {
  return (
    <div class="source-bar" data-draw-keys={kind === "canvas"}>
      <div class="segmented" role="group" aria-label={title}>
        {sourceKinds.map((each) => (
          <SourceButton key={each} inputs={inputs} kind={each} isPressed={kind === each} />
        ))}
      </div>
      <div class="source-tools">
      {kind === "camera" && <CameraTools camera={inputs.camera} choose={(id) => void inputs.useCameraDevice(id)} />}
      {kind === "screen" && <ScreenTools choose={() => void inputs.useOtherScreen()} />}
      {kind === "file" && (
        <FileTools source={inputs.file} accept={ACCEPT} isTrimmed={isTrimmed} take={(file) => void inputs.open(file)} />
      )}
      </div>
    </div>
  );
}

interface SourceButtonProps {
  inputs: Inputs;
  kind: SourceKind;
  isPressed: boolean;
}

function SourceButton({ inputs, kind, isPressed }: SourceButtonProps) {
  const label = strings.source[kind];
  const content = (
    <>
      <Icon name={icons[kind]} />
      <span class="label">{label}</span>
    </>
  );
  if (kind === "file" && inputs.file.isEmpty) {
    return (
      <FileButton accept={ACCEPT} label={label} isPressed={isPressed} take={(file) => void inputs.open(file)}>
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
      onClick={() => void inputs.use(kind)}
    >
      {content}
    </button>
  );
}
