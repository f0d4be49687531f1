/** The two panes, and of them the input: what goes in, with its tools below. */

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Client } from "./client";
import { type IconName, Icon } from "./icons";
import { Mount } from "./mount";
import { Output } from "./output";
import { CameraTools, CanvasTools } from "./source_tools";
import type { SourceKind } from "./sources/source";
import { strings } from "./strings";
import type { Studio } from "./studio";

const kinds: SourceKind[] = ["camera", "canvas"];
const icons: Record<SourceKind, IconName> = { camera: "camera", canvas: "brush" };

export function Stage({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  const { width, height } = client.shape.value;
  return (
    <div
      class="stage"
      data-layout={view.layout.value}
      style={{ "--shape": `${width} / ${height}`, "--ratio": `${width / height}` }}
      ref={(element: HTMLElement | null) => {
        view.stage = element;
      }}
    >
      <Input client={client} />
      <Output studio={studio} />
    </div>
  );
}

function Input({ client }: { client: Client }) {
  const kind = client.sourceKind.value;
  const pane = useRef<HTMLElement>(null);
  const chooses = useRef(true);
  useLayoutEffect(() => {
    // The button that was pressed is gone: the keyboard goes on at the one that has its place.
    const hasSwitched = chooses.current !== (kind === null);
    chooses.current = kind === null;
    if (hasSwitched && document.activeElement === document.body) {
      pane.current?.querySelector<HTMLElement>("button[aria-pressed=true], .chooser button")?.focus();
    }
  }, [kind]);
  return (
    <section class="pane" aria-labelledby="input-title" ref={pane}>
      <div class="pane-head">
        <h2 id="input-title">{strings.source.title}</h2>
        {kind && (
          <div class="segmented" role="group" aria-label={strings.source.title}>
            {kinds.map((each) => (
              <button key={each} type="button" aria-pressed={kind === each} onClick={() => void client.useSource(each)}>
                <Icon name={icons[each]} />
                {strings.source[each]}
              </button>
            ))}
          </div>
        )}
      </div>
      <div class="picture" data-kind={kind ?? "none"} data-mirrored={kind === "camera" && client.camera.mirrored.value}>
        {kind === "camera" && <Mount key="camera" element={client.camera.view} label={strings.source.camera} />}
        {kind === "canvas" && <Mount key="canvas" element={client.canvas.view} label={strings.source.drawingSurface} />}
        {kind === null && <Chooser client={client} />}
      </div>
      {kind === "camera" && <CameraTools camera={client.camera} choose={(id) => void client.useCameraDevice(id)} />}
      {kind === "canvas" && <CanvasTools canvas={client.canvas} />}
    </section>
  );
}

function Chooser({ client }: { client: Client }) {
  return (
    <div class="chooser">
      <p>{strings.source.choose}</p>
      {kinds.map((kind) => (
        <button key={kind} type="button" class="big" onClick={() => void client.useSource(kind)}>
          <Icon name={icons[kind]} />
          <span>
            <b>{strings.source[kind]}</b>
            <small>{strings.source[`${kind}Hint`]}</small>
          </span>
        </button>
      ))}
    </div>
  );
}
