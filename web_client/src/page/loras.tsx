/** The sheet "LoRAs": a weight for each that the server's model wears, and those that can be added. For all sessions. */

import { useEffect, useMemo } from "preact/hooks";
import { strings } from "../languages/strings";
import { Loras } from "../studio/loras";
import { Modal } from "./widgets/dialog";

const [LEAST, MOST, STEP] = [-1, 2, 0.05];

export function LorasSheet({ close }: { close: () => void }) {
  const words = strings.loras;
  const loras = useMemo(() => new Loras(), []);
  useEffect(() => void loras.look(), []);
  const told = loras.told.value;
  const wanted = loras.wanted.value;
  const worn = (told?.loras ?? []).filter(({ name }) => wanted[name] !== null);
  const added = Object.keys(wanted).filter((name) => wanted[name] !== null && !worn.some((one) => one.name === name));
  const others = (told?.available ?? []).filter((name) => !worn.some((one) => one.name === name) && !added.includes(name));
  return (
    <Modal title={words.title} close={close}>
      <div class="send">
        <p class="detail">{told?.takes_loras === false ? words.none : words.hint}</p>
        {worn.map(({ name, weight }) => (
          <section key={name} class="outlet" aria-label={name}>
            <div class="label-row">
              <h3>{name}</h3>
              <output>{(wanted[name] ?? weight).toFixed(2)}</output>
            </div>
            <div class="line">
              <input
                type="range"
                aria-label={name}
                min={Math.min(LEAST, weight)}
                max={Math.max(MOST, weight)}
                step={STEP}
                value={wanted[name] ?? weight}
                onInput={(event) => void loras.set(name, event.currentTarget.valueAsNumber)}
              />
              <button type="button" aria-label={`${words.remove}: ${name}`} onClick={() => void loras.set(name, null)}>
                {words.remove}
              </button>
            </div>
          </section>
        ))}
        {added.map((name) => (
          <p key={name} class="detail" role="status">
            {words.reading(name)}
          </p>
        ))}
        {told?.takes_loras !== false && others.length > 0 && (
          <div class="preset-files" role="group" aria-label={words.add}>
            {others.map((name) => (
              <button key={name} type="button" onClick={() => void loras.set(name, 1)}>
                + {name}
              </button>
            ))}
          </div>
        )}
        {told?.notes.map((note) => (
          <p key={note} class="detail">
            {note}
          </p>
        ))}
        {loras.problem.value && <p role="alert">{loras.problem.value}</p>}
      </div>
    </Modal>
  );
}
