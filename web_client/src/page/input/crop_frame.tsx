/** The frame around the part of a picture that is sent: moved by pointer and by keys. */

import { useRef } from "preact/hooks";
import { strings } from "../../languages/strings";
import { CENTRE } from "../../sources/crop";
import type { CroppedSource, CropPlace } from "../../sources/source";
import type { Client } from "../../studio/client";

/** Of what may be moved. */
const KEY_STEP = 0.02;

interface CropFrameProps {
  client: Client;
  source: CroppedSource;
  isMirrored: boolean;
}

/** Nothing where the whole picture is sent. */
export function CropFrame({ client, source, isMirrored }: CropFrameProps) {
  const grasp = useRef<{ at_px: number; from: number } | null>(null);
  const shape = source.shape.value;
  const wanted = client.shape.value;
  if (!shape) return null;
  const ratio = shape.width / shape.height / (wanted.width / wanted.height);
  const share = Math.min(ratio, 1 / ratio);
  if (share > 0.99) return null;
  const axis: keyof CropPlace = ratio > 1 ? "x" : "y";
  const isBackwards = isMirrored && axis === "x";
  /** As it is seen, from the left or from above. */
  const seen = isBackwards ? 1 - source.crop.value[axis] : source.crop.value[axis];
  const move = (to: number): void => {
    const clamped = Math.min(1, Math.max(0, to));
    source.crop.value = { ...CENTRE, [axis]: isBackwards ? 1 - clamped : clamped };
  };
  const along = (event: PointerEvent): number => (axis === "x" ? event.clientX : event.clientY);
  const onPointerDown = (event: PointerEvent): void => {
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    grasp.current = { at_px: along(event), from: seen };
  };
  const onPointerMove = (event: PointerEvent): void => {
    const frame = event.currentTarget as HTMLElement;
    if (!grasp.current || !frame.hasPointerCapture(event.pointerId)) return;
    const side_px = axis === "x" ? frame.offsetWidth : frame.offsetHeight;
    const room_px = side_px / share - side_px;
    move(grasp.current.from + (along(event) - grasp.current.at_px) / room_px);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const to = { Home: 0, End: 1 }[event.key] ?? (by && seen + by * KEY_STEP);
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  };
  return (
    <div
      class="crop-frame"
      role="slider"
      tabIndex={0}
      aria-label={strings.source.crop}
      aria-orientation={axis === "x" ? "horizontal" : "vertical"}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(seen * 100)}
      title={strings.source.cropped}
      data-axis={axis}
      style={{ "--share": `${share * 100}%`, "--seen": seen }}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onKeyDown={onKeyDown}
      onDblClick={() => move(0.5)}
    />
  );
}
