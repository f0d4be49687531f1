/** The place of control among the settings, where the model has nets. Its rows are loaded when it is first opened. */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { strings } from "../../languages/strings";
import { rowsOf } from "../../params/control";
import type { Studio } from "../../studio/studio";
import type { ControlRows } from "./control_rows";
import { Fold } from "./fold";

const CONTROL = "control";
const loaded = signal<typeof ControlRows | null>(null);

export function ControlFold({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  const nets = client.server.nets.value;
  const isOpen = nets.length > 0 && view.openFolds.value.includes(CONTROL);
  useEffect(() => {
    if (isOpen) void import("./control_rows").then(({ ControlRows }) => (loaded.value = ControlRows));
  }, [isOpen]);
  if (nets.length === 0) return null;
  const rows = rowsOf(client.params.shown.value[CONTROL]);
  const names = rows.map((row) => nets.find(({ name }) => name === row.net)?.title ?? row.net);
  const Rows = loaded.value;
  return (
    <Fold view={view} name={CONTROL} title={strings.control.title} state={names.join(", ")}>
      {isOpen && Rows && <Rows studio={studio} />}
    </Fold>
  );
}
