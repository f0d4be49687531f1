/** The sheet "Send to…": the session's name, an address for each way out with who watches, what the server sends, links. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { asksForTicket, fetchWhereabouts, giveTicket, type Whereabouts } from "../connection/requests";
import { nameFrom, sessionName } from "../connection/session";
import { isLoopback } from "../connection/transport_choice";
import { strings } from "../languages/strings";
import { addressOf, counted, type Outlet, outlets } from "../studio/outlets";
import type { Studio } from "../studio/studio";
import { Phone } from "./phone";
import { SentOn } from "./sent_on";
import { Check } from "./widgets/check";
import { Modal } from "./widgets/dialog";
import { Icon } from "./widgets/icons";
import { TextBox } from "./widgets/text_box";

const LOOK_EVERY_MS = 1000;
const NOWHERE: Whereabouts = { watching: {}, outputs: [] };

export function SendTo({ studio, close }: { studio: Studio; close: () => void }) {
  const words = strings.send;
  const session = useSignal(sessionName());
  /** Undefined until it is known: an address without one leads nowhere. */
  const ticket = useSignal<string | null | undefined>(undefined);
  const found = useSignal(NOWHERE);
  const [contains, isClear, holds] = [useSignal(false), useSignal(false), useSignal(false)];
  useEffect(() => {
    let isWanted = true;
    void asksForTicket()
      .then(async (asks) => (asks ? giveTicket("viewer", session.value) : null))
      .catch(() => null)
      .then((given) => {
        if (isWanted) ticket.value = given;
      });
    return () => {
      isWanted = false;
      ticket.value = undefined;
    };
  }, [session.value]);
  const look = () =>
    void fetchWhereabouts(session.value)
      .catch(() => NOWHERE)
      .then((now) => (found.value = now));
  useEffect(() => {
    // A session that is just beginning is watched by nobody.
    look();
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const overlay = {
    ...(contains.value && { fit: "contain" }),
    ...(isClear.value && { panic: "transparent" }),
    ...(holds.value && { stall: "hold" }),
  };
  const place = { base: document.baseURI, session: session.value, ticket: ticket.value ?? null, overlay };
  return (
    <Modal title={words.title} close={close}>
      <div class="send">
        <label class="option">
          <span>{words.name}</span>
          <TextBox
            maxLength={64}
            value={session.value}
            change={(typed) => {
              const name = nameFrom(typed);
              if (name) studio.client.rename(name);
              session.value = sessionName();
            }}
          />
          <small>{words.nameHint}</small>
        </label>
        <Phone studio={studio} session={session.value} />
        {outlets.map((outlet) => (
          <Line
            key={outlet}
            studio={studio}
            outlet={outlet}
            address={addressOf(outlet, place)}
            isKnown={ticket.value !== undefined}
            watching={found.value.watching}
          >
            {outlet === "overlay" && (
              <div class="overlay-options" role="group" aria-label={words.options}>
                <Check of={contains} label={words.contain} />
                <Check of={isClear} label={words.transparent} />
                <Check of={holds} label={words.hold} />
              </div>
            )}
          </Line>
        ))}
        <SentOn studio={studio} session={session.value} outputs={found.value.outputs} look={look} />
        {isLoopback(location.hostname) && <p class="detail">{words.local}</p>}
        <div class="preset-files">
          {(["viewer", "controller"] as const).map((role) => (
            <button key={role} type="button" onClick={() => void studio.sharing.shareSession(role)}>
              <Icon name="share" />
              {strings.options.links[role]}
            </button>
          ))}
        </div>
      </div>
    </Modal>
  );
}

interface LineProps {
  studio: Studio;
  outlet: Outlet;
  address: string;
  isKnown: boolean;
  watching: Readonly<Record<string, number>>;
  children: ComponentChildren;
}

function Line({ studio, outlet, address, isKnown, watching, children }: LineProps) {
  const words = strings.send;
  const { title, hint } = words.outlets[outlet];
  const way = counted[outlet];
  const count = way === null ? undefined : watching[way];
  return (
    <section class="outlet" aria-label={title}>
      <div class="label-row">
        <h3>{title}</h3>
        {count !== undefined && (
          <span class="watching" data-some={count > 0}>
            {words.watching(count)}
          </span>
        )}
      </div>
      <div class="line">
        <input type="text" readOnly aria-label={title} value={address} onFocus={(event) => event.currentTarget.select()} />
        <button type="button" disabled={!isKnown} onClick={() => void studio.sharing.copy(address)}>
          {words.copy}
        </button>
      </div>
      <small>{hint}</small>
      {children}
    </section>
  );
}
