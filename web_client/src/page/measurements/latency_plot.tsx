/** The fold that holds the latency plot, and loads it when opened. */

import { useEffect, useRef } from "preact/hooks";
import { strings } from "../../languages/strings";
import type { Studio } from "../../studio/studio";
import type { Plot } from "./plot";

export function LatencyPlot({ studio }: { studio: Studio }) {
  const { view, latencies } = studio;
  return (
    <details
      open={view.showsPlot.value}
      onToggle={(event) => {
        view.showsPlot.value = event.currentTarget.open;
      }}
    >
      <summary>{strings.hud.plot}</summary>
      {view.showsPlot.value && <LoadedPlot samples={latencies} />}
    </details>
  );
}

function LoadedPlot({ samples }: { samples: Studio["latencies"] }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let isThere = true;
    let plot: Plot | null = null;
    let stop = () => {};
    void import("./plot").then(({ Plot }) => {
      if (!isThere || !place.current) return;
      const { latency, p95, stage: stages } = strings.hud;
      plot = new Plot(place.current, { p50: latency, p95, stages });
      stop = samples.subscribe((now) => plot?.update(now));
    });
    return () => {
      isThere = false;
      stop();
      plot?.destroy();
    };
  }, []);
  return <div class="plot" ref={place} role="group" aria-label={strings.hud.plot} />;
}
