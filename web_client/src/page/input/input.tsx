/** The input pane: which source, its picture with the part that is sent, and its tools. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { strings } from "../../languages/strings";
import { type CroppedSource, type SourceKind, sourceKinds } from "../../sources/source";
import type { Client } from "../../studio/client";
import { FileButton } from "../widgets/file_button";
import { type IconName, Icon } from "../widgets/icons";
import { Mount } from "../widgets/mount";
import { bindDrawKeys } from "./draw_keys";
import { DrawTools } from "./draw_tools";
import { CameraTools, FileTools, HiddenTab, ScreenTools } from "./source_tools";

const icons: Record<SourceKind, IconName> = { camera: "camera", screen: "screen", file: "file", canvas: "brush" };
const ACCEPT = "image/*,video/*,.mkv";

export function Input({ client }: { client: Client }) {
  const kind = client.inputs.kind.value;
  const pane = useRef<HTMLElement>(null);
  const chooses = useRef(kind === null);
  useLayoutEffect(() => {
    // The button that was pressed is gone: the keyboard goes on at the one that has its place.
    const hasSwitched = chooses.current !== (kind === null);
    chooses.current = kind === null;
    if (hasSwitched && document.activeElement === document.body) {
      pane.current?.querySelector<HTMLElement>("button[aria-pressed=true], .chooser button")?.focus();
    }
    return kind === "canvas" && pane.current ? bindDrawKeys(client.inputs.canvas, pane.current) : undefined;
  }, [kind]);
  return (
    <section class="pane" aria-labelledby="input-title" ref={pane}>
      <div class="pane-head">
        <h2 id="input-title">{strings.source.title}</h2>
        {kind && (
          <div class="segmented" role="group" aria-label={strings.source.title}>
            {sourceKinds.map((each) => (
              <SourceButton key={each} client={client} kind={each} isPressed={kind === each} />
            ))}
          </div>
        )}
      </div>
      <div class="picture" data-kind={kind ?? "none"} data-mirrored={kind === "camera" && client.inputs.camera.mirrored.value}>
        {kind === null ? <Chooser client={client} /> : <SourcePicture client={client} kind={kind} />}
      </div>
      {kind && <SourceTools client={client} kind={kind} />}
    </section>
  );
}

function SourcePicture({ client, kind }: { client: Client; kind: SourceKind }) {
  const source = client.inputs[kind];
  const label = kind === "canvas" ? strings.source.drawingSurface : strings.source[kind];
  return (
    <>
      <Mount key={kind} element={source.view} label={label} />
      {"shape" in source && <CropFrame client={client} source={source} />}
      {source.isStill && client.dialer.inUse.value === "websocket" && (
        <p class="work-dot" data-busy={client.senders.isAtWork.value} title={strings.source.atWork} />
      )}
    </>
  );
}

function SourceTools({ client, kind }: { client: Client; kind: SourceKind }) {
  return (
    <>
      {kind === "camera" && <CameraTools camera={client.inputs.camera} choose={(id) => void client.inputs.useCameraDevice(id)} />}
      {kind === "screen" && <ScreenTools choose={() => void client.inputs.useOtherScreen()} />}
      {kind === "file" && <FileTools source={client.inputs.file} accept={ACCEPT} take={(file) => void client.inputs.open(file)} />}
      {kind === "canvas" && <DrawTools client={client} />}
      <HiddenTab client={client} />
    </>
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

/** The frame around the part that is sent; nothing where the whole picture is. */
function CropFrame({ client, source }: { client: Client; source: CroppedSource }) {
  const shape = source.shape.value;
  const wanted = client.shape.value;
  if (!shape) return null;
  const ratio = shape.width / shape.height / (wanted.width / wanted.height);
  const share = Math.min(ratio, 1 / ratio);
  if (share > 0.99) return null;
  return <div class="crop-frame" style={{ "--share": `${share * 100}%` }} title={strings.source.cropped} />;
}

function Chooser({ client }: { client: Client }) {
  return (
    <div class="chooser">
      <p>{strings.source.choose}</p>
      {sourceKinds.map((kind) => {
        const content = (
          <>
            <Icon name={icons[kind]} />
            <span>
              <b>{strings.source[kind]}</b>
              <small>{strings.source[`${kind}Hint`]}</small>
            </span>
          </>
        );
        return kind === "file" && client.inputs.file.isEmpty ? (
          <FileButton key={kind} class="big" accept={ACCEPT} take={(file) => void client.inputs.open(file)}>
            {content}
          </FileButton>
        ) : (
          <button key={kind} type="button" class="big" onClick={() => void client.inputs.use(kind)}>
            {content}
          </button>
        );
      })}
    </div>
  );
}
