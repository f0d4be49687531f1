/** The two panes: what goes in and what comes out. */

import type { Studio } from "../studio/studio";
import { Input } from "./input/input";
import { Output } from "./output/output";

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
