/** A QR code that opens the remote of this session on a phone. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { asksForTicket, fetchCode, fetchNetwork, giveTicket } from "../connection/requests";
import { isLoopback } from "../connection/transport_choice";
import { strings } from "../languages/strings";
import { remoteAddress } from "../studio/outlets";
import type { Studio } from "../studio/studio";

type Code = { address: string; picture: string } | "none" | null;

/** The address is the network's, though the page itself is open as localhost. */
async function codeFor(session: string): Promise<Code> {
  const [network, asks] = await Promise.all([fetchNetwork(), asksForTicket()]);
  const host = isLoopback(location.hostname) ? network[0] : location.hostname;
  if (host === undefined) return "none";
  const ticket = asks ? await giveTicket("controller", session) : null;
  const address = remoteAddress(document.baseURI, host, session, ticket);
  return { address, picture: URL.createObjectURL(await fetchCode(address)) };
}

export function Phone({ studio, session }: { studio: Studio; session: string }) {
  const words = strings.send;
  const code = useSignal<Code>(null);
  useEffect(() => {
    void codeFor(session).then((made) => (code.value = made), () => (code.value = "none"));
    return () => {
      if (code.value && code.value !== "none") URL.revokeObjectURL(code.value.picture);
      code.value = null;
    };
  }, [session]);
  const made = code.value === "none" ? null : code.value;
  const isNowhere = code.value === "none";
  return (
    <section class="phone" aria-label={words.phone}>
      {/* Its place is kept while it is made, or what one is about to press would move away. */}
      {!isNowhere && <span class="code">{made && <img src={made.picture} alt={words.code} />}</span>}
      <div>
        <h3>{words.phone}</h3>
        <p class="detail">{isNowhere ? words.noNetwork : words.phoneHint}</p>
        {!isNowhere && (
          <button type="button" disabled={!made} onClick={() => made && void studio.sharing.copy(made.address)}>
            {words.copy}
          </button>
        )}
      </div>
    </section>
  );
}
