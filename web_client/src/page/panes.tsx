/** The two panes: what goes in and what comes out. */

import type { Studio } from "../studio/studio";
import { Input } from "./input/input";
import { Output } from "./output/output";

export function Panes({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  const { width, height } = client.shape.value;
  return (
    <div
      class="panes"
      data-layout={view.layout.value}
      style={{ "--shape": `${width} / ${height}`, "--ratio": `${width / height}` }}
      ref={(element: HTMLElement | null) => {
        view.panes = element;
      }}
    >
      <Input client={client} />
      <Output studio={studio} />
    </div>
  );
}
