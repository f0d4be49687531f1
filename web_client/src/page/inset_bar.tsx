/** The line on top of the inset: moves, swaps, enlarges and hides it. */

import { useRef } from "preact/hooks";
import { strings } from "../languages/strings";
import type { View } from "../studio/view";
import { IconButton } from "./widgets/icon_button";
import { Icon } from "./widgets/icons";

/** Of the room beside the inset. */
const KEY_STEP = 0.05;
const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function InsetBar({ view, swap }: { view: View; swap: () => void }) {
  const words = strings.inset;
  const { isLarge } = view.inset;
  return (
    <div class="inset-bar" role="group" aria-label={words.label}>
      <Handle view={view} />
      <IconButton icon="swap" label={words.swap} shortcut="X" press={swap} />
      <IconButton
        icon={isLarge.value ? "shrink" : "enlarge"}
        label={isLarge.value ? words.shrink : words.enlarge}
        press={() => {
          isLarge.value = !isLarge.peek();
        }}
      />
      <IconButton
        icon="close"
        label={words.hide}
        shortcut="L"
        press={() => {
          view.layout.value = "outputOnly";
        }}
      />
    </div>
  );
}

interface Grasp {
  /** Of the pointer, from the inset's corner. */
  dx_px: number;
  dy_px: number;
  hasMoved: boolean;
}

/** Dragged, moved by the arrow keys, or pressed: then the inset goes to its next corner. */
function Handle({ view: { inset } }: { view: View }) {
  const grasp = useRef<Grasp | null>(null);
  const onPointerDown = (event: PointerEvent): void => {
    const handle = event.currentTarget as HTMLElement;
    const box = handle.closest(".picture")?.getBoundingClientRect();
    if (!box) return;
    handle.setPointerCapture(event.pointerId);
    grasp.current = { dx_px: event.clientX - box.left, dy_px: event.clientY - box.top, hasMoved: false };
  };
  const onPointerMove = (event: PointerEvent): void => {
    const handle = event.currentTarget as HTMLElement;
    const box = handle.closest(".picture")?.getBoundingClientRect();
    const stage = handle.closest(".stage")?.getBoundingClientRect();
    if (!grasp.current || !box || !stage || !handle.hasPointerCapture(event.pointerId)) return;
    grasp.current.hasMoved = true;
    inset.moveTo(
      (event.clientX - grasp.current.dx_px - stage.left) / (stage.width - box.width),
      (event.clientY - grasp.current.dy_px - stage.top) / (stage.height - box.height),
    );
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const { x, y } = inset.place.peek();
    inset.moveTo(x + step[0] * KEY_STEP, y + step[1] * KEY_STEP);
  };
  return (
    <button
      type="button"
      class="icon-only handle"
      aria-label={strings.inset.move}
      title={strings.inset.moveHint}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onKeyDown={onKeyDown}
      onClick={() => {
        if (!grasp.current?.hasMoved) inset.nextCorner();
        grasp.current = null;
      }}
    >
      <Icon name="move" />
    </button>
  );
}
