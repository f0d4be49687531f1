/** Parts of the page that are loaded when they are first shown. */

import { signal } from "@preact/signals";
import type { ComponentType, VNode } from "preact";
import { useEffect } from "preact/hooks";

/** A component that loads itself; until it is there, what stands in its place is shown. */
export function later<Props extends object>(load: () => Promise<ComponentType<Props>>, before: VNode | null = null) {
  const loaded = signal<ComponentType<Props> | null>(null);
  return function Later(props: Props) {
    useEffect(() => void load().then((part) => (loaded.value = part)), []);
    const Part = loaded.value;
    return Part ? <Part {...props} /> : before;
  };
}
