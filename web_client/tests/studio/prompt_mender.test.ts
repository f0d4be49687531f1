import { expect, test } from "vitest";
import type { PicturesThere } from "../../src/looks/pictures";
import { ParamsStore } from "../../src/params/params";
import type { Params, Value } from "../../src/protocol";
import { PromptMender } from "../../src/studio/prompt_mender";
import { FakeClock, settled } from "../fakes";

const picture = { picture: "0".repeat(32), weight: 1 };
const inForce = { version: 1, width: 8, height: 8, prompt: "ink", strength: 0.5 } as Params;

/** A look with a picture was sent, and refused. */
async function refusedLook(prompt: Value, there: PicturesThere, hears = true) {
  const sent: Record<string, Value>[] = [];
  const said: string[] = [];
  const clock = new FakeClock();
  const params = new ParamsStore({ clock, send: (patch) => sent.push(patch) > 0 });
  params.confirm(inForce);
  params.edit("prompt", prompt, "sliding", 4);
  params.edit("strength", 0.9, "sliding", 4);
  params.flush();
  sent.length = 0;
  const mender = new PromptMender({
    params,
    bringAgain: async () => there,
    hearsPictures: () => hears,
    say: (note) => said.push(note),
    missing: () => "it is missing",
  });
  await mender.refused("prompt", "the server's words");
  await settled();
  return { sent: Object.assign({}, ...sent) as Record<string, Value>, said, error: params.errors.value.prompt };
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

/** References were sent, and refused. */
async function refusedReferences(there: PicturesThere, hears = true) {
  const sent: Record<string, Value>[] = [];
  const params = new ParamsStore({ clock: new FakeClock(), send: (patch) => sent.push(patch) > 0 });
  params.confirm({ ...inForce, references: [] });
  params.edit("references", [picture], "sliding");
  params.flush();
  sent.length = 0;
  const mender = new PromptMender({
    params,
    bringAgain: async () => there,
    hearsPictures: (field) => field === "references" && hears,
    say: () => {},
    missing: () => "it is missing",
  });
  await mender.refused("references", "the server's words");
  await settled();
  return [Object.assign({}, ...sent), params.errors.value.references];
}

test("references are mended as prompts are", async () => {
  expect(await refusedReferences("brought")).toEqual([{ references: [picture] }, undefined]);
  expect(await refusedReferences("missing")).toEqual([{}, "it is missing"]);
  expect(await refusedReferences("missing", false)).toEqual([{ references: [] }, undefined]);
});
