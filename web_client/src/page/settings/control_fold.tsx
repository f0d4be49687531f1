/** The place of control among the settings, where the model has nets. Its rows are loaded when it is first opened. */

import { strings } from "../../languages/strings";
import { rowsOf } from "../../params/control";
import type { Studio } from "../../studio/studio";
import { later } from "../widgets/later";
import { Fold } from "./fold";

const CONTROL = "control";
const LoadedControlRows = later(async () => (await import("./control_rows")).ControlRows);

export function ControlFold({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  const nets = client.server.nets.value;
  const isOpen = nets.length > 0 && view.openFolds.value.includes(CONTROL);
  if (nets.length === 0) return null;
  const rows = rowsOf(client.params.shown.value[CONTROL]);
  const names = rows.map((row) => nets.find(({ name }) => name === row.net)?.title ?? row.net);
  return (
    <Fold view={view} name={CONTROL} title={strings.control.title} state={names.join(", ")}>
      {isOpen && <LoadedControlRows studio={studio} />}
    </Fold>
  );
}
