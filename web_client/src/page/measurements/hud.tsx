/** The measurements, over the stage while they are wanted: this page's own, and what the server says of itself. */

import { transportChoices } from "../../connection/transport_choice";
import { strings } from "../../languages/strings";
import type { Studio } from "../../studio/studio";
import { Select } from "../widgets/select";
import { LatencyPlot } from "./latency_plot";

export function Hud({ studio }: { studio: Studio }) {
  const { client } = studio;
  const words = strings.hud;
  const { sent_fps, shown_fps, latency_p50_ms, latency_p95_ms, link } = client.meter.now.value;
  const paramsVersion = client.meter.paramsVersion.value;
  const stats = client.server.stats.value;
  const repeats = client.meter.repeats.value;
  const dropped = Object.entries(stats?.dropped ?? {}).filter(([, count]) => count > 0);
  const stages = Object.entries(stats?.stage_ms ?? {}).filter(([, ms]) => ms >= 0.05);
  return (
    <section
      class="hud"
      aria-label={words.title}
      onKeyDown={(event) => {
        if (event.key === "Escape") studio.view.showsHud.value = false;
      }}
    >
      <dl>
        {client.server.model.value && <Figure name={words.model} value={client.server.model.value} />}
        <Figure name={words.transport} value={strings.transport[client.dialer.inUse.value]} />
        <Figure name={words.sent} value={sent_fps.toFixed(1)} unit={words.fps} />
        <Figure name={words.shown} value={shown_fps.toFixed(1)} unit={words.fps} />
        {link ? (
          <>
            <Figure name={words.roundTrip} value={link.roundTrip_ms?.toFixed(1) ?? "–"} unit={words.ms} />
            <Figure name={words.jitterBuffer} value={link.jitterBuffer_ms?.toFixed(0) ?? "–"} unit={words.ms} />
            <Figure name={words.codec} value={link.codec ?? "–"} />
          </>
        ) : (
          <>
            <Figure name={words.latency} value={latency_p50_ms?.toFixed(0) ?? "–"} unit={words.ms} />
            <Figure name={words.p95} value={latency_p95_ms?.toFixed(0) ?? "–"} unit={words.ms} />
          </>
        )}
        <Figure name={words.params} value={paramsVersion === null ? "–" : `v${paramsVersion}`} />
        {stats && <Figure name={words.sessions} value={String(stats.sessions)} />}
      </dl>
      <Select
        class="inline transport"
        label={strings.transport.title}
        value={client.dialer.choice.value}
        options={transportChoices.map((each) => [each, strings.transport[each]])}
        choose={(chosen) => client.chooseTransport(chosen)}
      />
      {stages.length > 0 && (
        <p>
          <span class="detail">{words.stages}</span>
          {stages.map(([stage, ms]) => (
            <span key={stage} class="pair">
              {words.stage[stage] ?? stage} <b>{ms.toFixed(1)}</b>
            </span>
          ))}
        </p>
      )}
      {repeats > 0 && (
        <p>
          <span class="detail">{words.repeats}</span>
          <span class="pair">
            <b>{repeats}</b>
          </span>
        </p>
      )}
      {dropped.length > 0 && (
        <p>
          <span class="detail">{words.dropped}</span>
          {dropped.map(([reason, count]) => (
            <span key={reason} class="pair">
              {words.reasons[reason] ?? reason.replaceAll("_", " ")} <b>{count}</b>
            </span>
          ))}
        </p>
      )}
      {stats?.rung && <p class="detail">{stats.rung}</p>}
      <LatencyPlot studio={studio} />
    </section>
  );
}

function Figure({ name, value, unit = "" }: { name: string; value: string; unit?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value} <small>{unit}</small>
      </dd>
    </div>
  );
}
