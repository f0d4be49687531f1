/** The fold that holds the latency plot. */

import { useEffect, useRef } from "preact/hooks";
import { strings } from "../../languages/strings";
import type { Studio } from "../../studio/studio";
import { Plot } from "./plot";

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
      {view.showsPlot.value && <DrawnPlot samples={latencies} />}
    </details>
  );
}

function DrawnPlot({ samples }: { samples: Studio["latencies"] }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return;
    const { latency, p95, stage: stages } = strings.hud;
    const plot = new Plot(place.current, { p50: latency, p95, stages });
    const stop = samples.subscribe((now) => plot.update(now));
    return () => {
      stop();
      plot.destroy();
    };
  }, []);
  return <div class="plot" ref={place} role="group" aria-label={strings.hud.plot} />;
}
