/** Progress, notes and problems, each problem as a sentence that says what to do. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Status } from "../connection/connection";
import { strings } from "../languages/strings";
import type { Note, Notes } from "../notes";
import type { Problem, Scope } from "../problems";
import type { Client } from "../studio/client";
import { messagesAround } from "../studio/stage";
import type { Studio } from "../studio/studio";

export function Messages({ studio: { client, view } }: { studio: Studio }) {
  const problems = [...client.problems.current.value];
  const hasInset = view.layout.value === "inset" && client.inputs.kind.value !== null;
  return (
    <div
      class="messages"
      aria-live="polite"
      data-at={messagesAround(view.inset.place.value, hasInset)}
      data-large={view.inset.isLarge.value}
    >
      <Progress status={client.connection.status.value} />
      {client.notes.question.value && <NoteLine notes={client.notes} note={client.notes.question.value} />}
      {client.notes.current.value && <NoteLine notes={client.notes} note={client.notes.current.value} />}
      {problems.map(([scope, problem]) => (
        <ProblemLine key={scope} client={client} scope={scope} problem={problem} />
      ))}
    </div>
  );
}

function Progress({ status }: { status: Status }) {
  if (status.state === "loading") {
    const text = strings.loading(status.stage, status.percent);
    return (
      <div class="message">
        <p>{text}</p>
        {status.percent === null ? (
          <progress aria-label={text} />
        ) : (
          <progress aria-label={text} max={100} value={status.percent} />
        )}
      </div>
    );
  }
  if (status.state === "queued") {
    const text = strings.queued(status.position, status.size);
    return (
      <div class="message">
        <p>{text}</p>
        <progress aria-label={text} max={status.size} value={Math.max(0, status.size - status.position)} />
      </div>
    );
  }
  return null;
}

function NoteLine({ notes, note: { kind, undo, answer } }: { notes: Notes; note: Note }) {
  return (
    <div class="message">
      <p>{strings.notes[kind]}</p>
      {undo && (
        <button
          type="button"
          onClick={() => {
            undo();
            notes.dismiss();
          }}
        >
          {strings.tools.undo}
        </button>
      )}
      {answer && (
        <button type="button" onClick={() => answer(true)}>
          {strings.useIt}
        </button>
      )}
      <button type="button" class="quiet" onClick={() => (answer ? answer(false) : notes.dismiss())}>
        {answer ? strings.keepMine : strings.dismiss}
      </button>
    </div>
  );
}

function ProblemLine({ client, scope, problem }: { client: Client; scope: Scope; problem: Problem }) {
  return (
    <div class="message problem">
      <p>
        {strings.problems[problem.kind]}
        {problem.detail && <span class="detail"> ({problem.detail})</span>}
      </p>
      {scope === "connection" && <Reconnect client={client} />}
      {(problem.kind === "webrtcBlocked" || problem.kind === "webrtcOff") && (
        <button type="button" onClick={() => client.chooseTransport("automatic")}>
          {strings.transport.leaveToPage}
        </button>
      )}
      {problem.kind === "paramsChanged" && (
        <button type="button" onClick={() => client.restoreParams()}>
          {strings.restore}
        </button>
      )}
      {scope !== "connection" && (
        <button
          type="button"
          class="quiet"
          onClick={() => (scope === "params" ? client.dismissLostParams() : client.problems.clear(scope))}
        >
          {strings.dismiss}
        </button>
      )}
    </div>
  );
}

function Reconnect({ client }: { client: Client }) {
  const status = client.connection.status.value;
  if (status.state !== "retrying" && status.state !== "closed") return null;
  return (
    <>
      {status.state === "retrying" && <Countdown until_ms={status.at_ms} />}
      <button type="button" onClick={() => client.connection.start()}>
        {status.state === "retrying" ? strings.retryNow : strings.connect}
      </button>
    </>
  );
}

/** Outside the live region's voice: a screen reader shouldn't count the seconds aloud. */
function Countdown({ until_ms }: { until_ms: number }) {
  const seconds = useSignal(0);
  useEffect(() => {
    const read = () => {
      seconds.value = Math.max(0, Math.ceil((until_ms - performance.now()) / 1000));
    };
    read();
    const timer = setInterval(read, 250);
    return () => clearInterval(timer);
  }, [until_ms]);
  return (
    <span class="detail" aria-live="off">
      {strings.retryIn(seconds.value)}
    </span>
  );
}
