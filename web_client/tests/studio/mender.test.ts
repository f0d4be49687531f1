import { expect, test } from "vitest";
import type { PicturesThere } from "../../src/looks/pictures";
import { ParamsStore } from "../../src/params/params";
import type { ControlNet, ControlRow, Params, Value } from "../../src/protocol";
import { type Mended, Mender } from "../../src/studio/mender";
import { FakeClock, settled } from "../fakes";

const picture = { picture: "0".repeat(32), weight: 1 };
const row = (part: Partial<ControlRow> = {}) => ({
  ...{ net: "canny", weight: 1, start: 0, end: 1, source: "input" },
  ...part,
});
const nets: ControlNet[] = [{ name: "canny", hint: "canny", title: "Edges", weight: 1 }];
const inForce = { version: 1, width: 8, height: 8, prompt: "ink", control: [], references: [], strength: 0.5 } as Params;

/** A look with a picture was sent, and refused. */
function refusedLook(prompt: Value, there: PicturesThere, hears = true) {
  return refused("prompt", prompt, there, hears);
}

function refusedControl(control: Value, there: PicturesThere, meanwhile = (_: ParamsStore) => {}) {
  return refused("control", control, there, false, meanwhile);
}

async function refused(field: Mended, value: Value, there: PicturesThere, hears: boolean, meanwhile = (_: ParamsStore) => {}) {
  const sent: Record<string, Value>[] = [];
  const said: string[] = [];
  const clock = new FakeClock();
  const params = new ParamsStore({ clock, send: (patch) => sent.push(patch) > 0 });
  params.confirm(inForce);
  params.edit(field, value, "sliding", 4);
  params.edit("strength", 0.9, "sliding", 4);
  params.flush();
  sent.length = 0;
  const mender = new Mender({
    params,
    bringAgain: async () => {
      meanwhile(params);
      return there;
    },
    hearsPictures: () => hears,
    nets: () => nets,
    say: (note) => said.push(note),
    missing: () => "it is missing",
  });
  await mender.refused(field, "the server's words");
  await settled();
  return { sent: Object.assign({}, ...sent) as Record<string, Value>, said, error: params.errors.value[field] };
}

test("a picture that the server has lost is brought, and the look sent again", async () => {
  const { sent, said, error } = await refusedLook([picture], "brought");
  expect([sent, said, error]).toEqual([{ prompt: [picture], strength: 0.9 }, [], undefined]);
});

test("one that nobody has is said, and the rest of the look is in force", async () => {
  const { sent, error } = await refusedLook([picture], "missing");
  expect([sent, error]).toEqual([{ strength: 0.9 }, "it is missing"]);
});

test("what is refused for another reason is said in the server's words", async () => {
  expect((await refusedLook([picture], "there")).error).toBe("the server's words");
  expect((await refusedLook("too long", "there")).error).toBe("the server's words");
});

test("where a model hears words alone the picture is left out, which is said", async () => {
  const words = await refusedLook([picture, { text: "oil", weight: 0 }], "missing", false);
  expect([words.sent, words.said, words.error]).toEqual([{ prompt: "oil", strength: 0.9 }, ["pictureLeftOut"], undefined]);
  const nothing = await refusedLook([picture], "missing", false);
  expect([nothing.sent.prompt, nothing.said]).toEqual(["ink", ["pictureLeftOut"]]);
});

test("nets that the model has not are left out, which is said, and the rest of the look is in force", async () => {
  const { sent, said, error } = await refusedControl([row({ net: "depth" }), row()], "there");
  expect([sent, said, error]).toEqual([{ control: [row()], strength: 0.9 }, ["netLeftOut"], undefined]);
});

test("a picture that a net looks at is brought again, too", async () => {
  const rows = [row({ source: picture.picture })];
  const { sent, said, error } = await refusedControl(rows, "brought");
  expect([sent, said, error]).toEqual([{ control: rows, strength: 0.9 }, [], undefined]);
  expect((await refusedControl(rows, "missing")).error).toBe("it is missing");
  expect((await refusedControl([row()], "there")).error).toBe("the server's words");
});

test("control that was changed while a picture was brought is left alone", async () => {
  const change = (params: ParamsStore) => params.edit("control", [row()], "sliding");
  expect((await refusedControl([row({ source: picture.picture })], "missing", change)).error).toBeUndefined();
});

test("references are mended as prompts are", async () => {
  const outcomes = [await refused("references", [picture], "brought", true), await refused("references", [picture], "missing", true)];
  expect(outcomes.map(({ sent, error }) => [sent.references, error])).toEqual([
    [[picture], undefined],
    [undefined, "it is missing"],
  ]);
  const left = await refused("references", [picture], "missing", false);
  expect([left.sent.references, left.said]).toEqual([[], ["pictureLeftOut"]]);
});
