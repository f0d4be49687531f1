/** What the server sends of this session, and whether it does. Where to is the server's configuration alone. */

import { type Output, switchOutput } from "../connection/requests";
import { strings } from "../languages/strings";
import type { Studio } from "../studio/studio";

interface SentOnProps {
  studio: Studio;
  session: string;
  outputs: readonly Output[];
  /** Looks how they are now. */
  look: () => void;
}

/** In which states there is nothing to stop. */
const OFF = new Set(["stopped", "failed", "ended"]);

export function SentOn({ studio, session, outputs, look }: SentOnProps) {
  const words = strings.send.sentOn;
  return (
    <section class="outlet" aria-label={words.title}>
      <h3>{words.title}</h3>
      {outputs.map(({ output, address, state, problem }) => {
        const isOff = OFF.has(state);
        const press = () =>
          void switchOutput(session, output, isOff ? "start" : "stop").then(look, ({ message }: Error) =>
            studio.client.problems.mention("commandRefused", message),
          );
        return (
          <div class="line sent-on" key={output}>
            <span>{address}</span>
            <button type="button" aria-label={`${isOff ? words.start : words.stop} ${address}`} onClick={press}>
              {isOff ? words.start : words.stop}
            </button>
            <small class="watching" data-some={state === "live"}>
              {words.states[state] ?? state}
              {problem && `: ${problem}`}
            </small>
          </div>
        );
      })}
      <small>{outputs.length ? words.hint : words.none(session)}</small>
    </section>
  );
}
