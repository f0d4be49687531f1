/** A picture that is on a canvas elsewhere on the page. */

import { useLayoutEffect, useRef } from "preact/hooks";

export function CanvasCopy({ of }: { of: HTMLCanvasElement | undefined }) {
  const copy = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (!of || !copy.current) return;
    [copy.current.width, copy.current.height] = [of.width, of.height];
    copy.current.getContext("2d")?.drawImage(of, 0, 0);
  }, [of]);
  return of ? <canvas ref={copy} /> : null;
}
