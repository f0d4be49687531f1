/** The two panes: what goes in and what comes out. */

import { Input } from "./input";
import { Output } from "./output";
import type { Studio } from "./studio";

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
