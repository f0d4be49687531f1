/** The input on the stage: its picture with the part that is sent, or what can be chosen. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { strings } from "../../languages/strings";
import { type SourceKind, sourceKinds } from "../../sources/source";
import type { Client } from "../../studio/client";
import type { Spot } from "../../studio/stage";
import { Icon } from "../widgets/icons";
import { FileButton } from "../widgets/file_button";
import { Mount } from "../widgets/mount";
import { CropFrame } from "./crop_frame";
import { ACCEPT, icons } from "./source_bar";

interface InputPictureProps {
  client: Client;
  spot: Spot;
  children: ComponentChildren;
}

export function InputPicture({ client, spot, children }: InputPictureProps) {
  const kind = client.inputs.kind.value;
  // Who draws sees the paper, and the mix in what is made of it.
  const mixed = kind === "canvas" ? null : client.inputs.mixed.value;
  const chooses = useRef(kind === null);
  const isMirrored = kind === "camera" && client.inputs.camera.mirrored.value;
  useLayoutEffect(() => {
    // The button that was pressed is gone: the keyboard goes on at the one that has its place.
    const hasSwitched = chooses.current !== (kind === null);
    chooses.current = kind === null;
    if (!hasSwitched || document.activeElement !== document.body) return;
    document.querySelector<HTMLElement>(".source-bar button[aria-pressed=true], .chooser button")?.focus({
      preventScroll: true,
    });
  }, [kind]);
  return (
    <section
      class="picture input"
      aria-label={strings.source.title}
      data-spot={spot}
      data-kind={kind ?? "none"}
      data-mirrored={isMirrored}
      data-draw-keys={kind === "canvas"}
      style={mixed ? {} : { "--crop": positionOf(client, kind), "--own-ratio": ratioOf(client, kind, spot) }}
    >
      {mixed ? (
        <Mount key="mixed" element={mixed.view} label="A + B" />
      ) : kind === null ? (
        <Chooser client={client} />
      ) : (
        <SourcePicture client={client} kind={kind} />
      )}
      {children}
    </section>
  );
}

/** Where the picture is cut, as CSS's `object-position`. */
function positionOf(client: Client, kind: SourceKind | null): string | undefined {
  const source = kind && client.inputs[kind];
  if (!source || !("crop" in source)) return undefined;
  const { x, y } = source.crop.value;
  return `${x * 100}% ${y * 100}%`;
}

/** Width by height of a picture that is seen whole. Under the output it has the output's shape. */
function ratioOf(client: Client, kind: SourceKind | null, spot: Spot): number | undefined {
  const source = kind && client.inputs[kind];
  const shape = source && "shape" in source && spot !== "over" ? source.shape.value : null;
  return shape ? shape.width / shape.height : undefined;
}

function SourcePicture({ client, kind }: { client: Client; kind: SourceKind }) {
  const source = client.inputs[kind];
  if (!source) return null;
  const label = kind === "canvas" ? strings.source.drawingSurface : strings.source[kind];
  return (
    <>
      <Mount key={kind} element={source.view} label={label} />
      {"shape" in source && (
        <CropFrame client={client} source={source} isMirrored={kind === "camera" && client.inputs.camera.mirrored.value} />
      )}
      {source.isStill && client.dialer.inUse.value === "websocket" && (
        <p class="work-dot" data-busy={client.senders.isAtWork.value} title={strings.source.atWork} />
      )}
    </>
  );
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
