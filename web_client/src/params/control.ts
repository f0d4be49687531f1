/** What steers the picture: nets with their weight, the steps in which they act, and what they look at. Pure. */

import type { ControlNet, ControlRow, Value } from "../protocol";

export const MAX_ROWS = 4;
export const MAX_WEIGHT = 2;
/** The source that is the session's own picture. */
export const INPUT = "input";

/** What a drawing is shown to, best first: nets that were made for lines as by hand. */
const FOR_LINES = ["scribble", "lines", "canny"];

/** Whether a value has the form of control; the server checks the rest. */
export function isControl(value: unknown): value is ControlRow[] {
  return Array.isArray(value) && value.length <= MAX_ROWS && value.every(isRow);
}

function isRow(value: unknown): value is ControlRow {
  const { net, weight, start, end, source } = (value ?? {}) as Partial<Record<keyof ControlRow, unknown>>;
  const areTexts = [net, source].every((one) => typeof one === "string");
  return areTexts && [weight, start, end].every((one) => typeof one === "number" && one >= 0 && one <= MAX_WEIGHT);
}

/** The rows of a params value. */
export function rowsOf(control: Value | undefined): ControlRow[] {
  return isControl(control) ? control : [];
}

function rowFor({ name, weight }: ControlNet): ControlRow {
  return { net: name, weight, start: 0, end: 1, source: INPUT };
}

/** With one more: a net that is not in use yet, or else the first. */
export function withAnother(rows: readonly ControlRow[], nets: readonly ControlNet[]): ControlRow[] {
  const net = nets.find(({ name }) => rows.every((row) => row.net !== name)) ?? nets[0];
  return net ? [...rows, rowFor(net)].slice(0, MAX_ROWS) : [...rows];
}

export function without(rows: readonly ControlRow[], index: number): ControlRow[] {
  return rows.filter((_, each) => each !== index);
}

/** With a part of one changed. The first step never comes behind the last: it takes that along, or is taken along. */
export function changed(rows: readonly ControlRow[], index: number, part: Partial<ControlRow>): ControlRow[] {
  return rows.map((row, each) => {
    if (each !== index) return row;
    const next = { ...row, ...part };
    if (next.start <= next.end) return next;
    return part.start === undefined ? { ...next, start: next.end } : { ...next, end: next.start };
  });
}

/** Those whose net there is. */
export function known(rows: readonly ControlRow[], nets: readonly ControlNet[]): ControlRow[] {
  return rows.filter((row) => nets.some(({ name }) => name === row.net));
}

/** The ids of the pictures that they look at. */
export function sourcesOf(rows: readonly ControlRow[]): string[] {
  return rows.flatMap(({ source }) => (source === INPUT ? [] : source));
}

/** What makes a picture of a drawing's lines; null where no net can. */
export function linesToPicture(nets: readonly ControlNet[]): { strength: number; control: ControlRow[] } | null {
  const net = FOR_LINES.flatMap((hint) => nets.find((one) => one.hint === hint) ?? [])[0];
  return net ? { strength: 1, control: [rowFor(net)] } : null;
}
