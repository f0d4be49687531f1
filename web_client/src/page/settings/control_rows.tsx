/** What steers the picture: a row for each net, with what it is shown. Loaded when somebody opens it first. */

import { useState } from "preact/hooks";
import { strings } from "../../languages/strings";
import * as control from "../../params/control";
import type { ControlRow } from "../../protocol";
import type { Studio } from "../../studio/studio";
import { FileButton } from "../widgets/file_button";
import { IconButton } from "../widgets/icon_button";
import { Icon } from "../widgets/icons";
import { pictureDrop } from "../widgets/picture_drop";
import { Select } from "../widgets/select";
import { Thumb } from "../widgets/thumb";
import { HintPicture } from "./hint_picture";

const CONTROL = "control";

export function ControlRows({ studio }: { studio: Studio }) {
  const { client } = studio;
  const words = strings.control;
  const nets = client.server.nets.value;
  const rows = control.rowsOf(client.params.shown.value[CONTROL]);
  const error = client.params.errors.value[CONTROL];
  const edit = (next: ControlRow[]) => client.params.edit(CONTROL, next, "sliding");
  return (
    <>
      <LinesToPicture studio={studio} rows={rows} />
      {rows.map((row, index) => (
        <NetRow
          // A row has no name of its own, and stays where it is.
          key={index}
          studio={studio}
          row={row}
          number={index + 1}
          change={(part) => edit(control.changed(rows, index, part))}
          remove={() => edit(control.without(rows, index))}
        />
      ))}
      {error !== undefined && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {rows.length < control.MAX_ROWS && (
        <button type="button" class="small" onClick={() => edit(control.withAnother(rows, nets))}>
          <Icon name="plus" />
          {words.add}
        </button>
      )}
    </>
  );
}

/** Ready made for drawing; taken back by another click. */
function LinesToPicture({ studio: { client }, rows }: { studio: Studio; rows: ControlRow[] }) {
  const ready = control.linesToPicture(client.server.nets.value);
  if (!ready) return null;
  const { edit, shown } = client.params;
  const isOn = shown.value.strength === ready.strength && JSON.stringify(rows) === JSON.stringify(ready.control);
  const neutral = client.settings.number("strength")?.neutral ?? 0.5;
  return (
    <div class="chips">
      <button
        type="button"
        class="chip"
        aria-pressed={isOn}
        title={strings.control.linesHint}
        onClick={() => {
          edit("strength", isOn ? neutral : ready.strength, "sliding");
          edit(CONTROL, isOn ? [] : ready.control, "sliding");
        }}
      >
        {strings.control.lines}
      </button>
    </div>
  );
}

interface NetRowProps {
  studio: Studio;
  row: ControlRow;
  /** From 1 on. */
  number: number;
  change: (part: Partial<ControlRow>) => void;
  remove: () => void;
}

function NetRow({ studio: { client }, row, number, change, remove }: NetRowProps) {
  const words = strings.control;
  const nets = client.server.nets.value;
  const [isOver, setOver] = useState(false);
  const net = nets.find(({ name }) => name === row.net);
  const title = net?.title ?? row.net;
  const isPicture = row.source !== control.INPUT;
  const slider = (label: string) => ({ label, name: `${words.net(number)}: ${label}` });
  const bring = async (file: File) => {
    const source = await client.pictures.bring(file);
    if (source !== null) change({ source });
  };
  return (
    <div
      class="control-row"
      role="group"
      aria-label={`${number}: ${title}`}
      data-over={isOver}
      {...pictureDrop(setOver, (file) => void bring(file))}
    >
      <HintPicture of={net} source={row.source} isSeen={client.connection.status.value.state === "open"} />
      <div class="control-net">
        <Select
          label={words.net(number)}
          value={row.net}
          options={[...(net ? [] : [[row.net, row.net] as const]), ...nets.map((one) => [one.name, one.title] as const)]}
          choose={(name) => change({ net: name, weight: nets.find((one) => one.name === name)?.weight ?? row.weight })}
        />
        <IconButton icon="close" label={words.remove(title)} press={remove} />
      </div>
      <div class="control-source">
        <FileButton
          accept="image/*"
          class="small"
          disabled={client.pictures.isBusy.value}
          isPressed={isPicture}
          take={(file) => void bring(file)}
        >
          {isPicture && <Thumb pictures={client.pictures} id={row.source} label="" />}
          {words.picture}
        </FileButton>
        <button
          type="button"
          class="small"
          aria-pressed={!isPicture}
          onClick={() => change({ source: control.INPUT })}
        >
          {strings.source.title}
        </button>
      </div>
      <NetSlider
        {...slider(words.weight)}
        midi={`control ${number}`}
        most={control.MAX_WEIGHT}
        value={row.weight}
        change={(weight) => change({ weight })}
      />
      <NetSlider {...slider(words.from)} most={1} value={row.start} change={(start) => change({ start })} />
      <NetSlider {...slider(words.to)} most={1} value={row.end} change={(end) => change({ end })} />
    </div>
  );
}

interface NetSliderProps {
  label: string;
  /** With the number of its row. */
  name: string;
  most: number;
  value: number;
  midi?: string;
  change: (value: number) => void;
}

function NetSlider({ label, name, most, value, midi, change }: NetSliderProps) {
  return (
    <label class="control-slider" data-midi={midi}>
      <span>{label}</span>
      <input
        type="range"
        aria-label={name}
        min={0}
        max={most}
        step={0.05}
        value={value}
        onInput={(event) => change(event.currentTarget.valueAsNumber)}
      />
      <output>{value.toFixed(2)}</output>
    </label>
  );
}
