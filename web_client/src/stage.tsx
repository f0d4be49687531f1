/** The two panes: what goes in and what comes out, each with its tools below. */

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Client } from "./client";
import { type IconName, Icon } from "./icons";
import { Mount } from "./mount";
import { CameraTools, CanvasTools } from "./source_tools";
import type { SourceKind } from "./sources/source";
import { strings } from "./strings";
import type { View } from "./view";

const kinds: SourceKind[] = ["camera", "canvas"];
const icons: Record<SourceKind, IconName> = { camera: "camera", canvas: "brush" };

export function Stage({ client, view }: { client: Client; view: View }) {
  const { width, height } = client.shape.value;
  return (
    <div
      class="stage"
      data-layout={view.layout.value}
      style={{ "--shape": `${width} / ${height}`, "--ratio": `${width / height}` }}
    >
      <Input client={client} />
      <Output client={client} view={view} />
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

function Output({ client, view }: { client: Client; view: View }) {
  const isFrozen = client.isFrozen.value;
  return (
    <section class="pane" aria-labelledby="output-title">
      <div class="pane-head">
        <h2 id="output-title">{strings.stage.output}</h2>
      </div>
      <div
        class="picture output"
        ref={(element: HTMLElement | null) => {
          view.outputPane = element;
        }}
      >
        <Mount element={client.player.view.value} label={strings.stage.output} />
        {!client.player.hasPicture.value && <p class="waiting">{strings.stage.waiting}</p>}
        {isFrozen && <p class="badge">{strings.stage.frozen}</p>}
      </div>
      <div class="tools" role="group" aria-label={strings.actions.label}>
        <button type="button" aria-pressed={isFrozen} onClick={() => client.setFrozen(!isFrozen)}>
          <Icon name={isFrozen ? "play" : "freeze"} />
          {isFrozen ? strings.actions.unfreeze : strings.actions.freeze}
        </button>
        <button type="button" onClick={() => client.newSeed()}>
          <Icon name="dice" />
          {strings.actions.newSeed}
        </button>
        <button type="button" onClick={() => void client.saveSnapshot()}>
          <Icon name="snapshot" />
          {strings.actions.snapshot}
        </button>
        <button type="button" onClick={() => view.toggleFullscreen()}>
          <Icon name="fullscreen" />
          {strings.actions.fullscreen}
        </button>
      </div>
    </section>
  );
}
