/** LoRAs as a page changes them: one request at a time, the newest weight last, refusals told. */

import { beforeEach, expect, test, vi } from "vitest";
import { Loras } from "../../src/studio/loras";

interface Asked {
  loras: Record<string, number | null>;
  answer: (status: number, body: unknown) => void;
}

const asked: Asked[] = [];

beforeEach(() => {
  asked.length = 0;
  vi.stubGlobal("document", { baseURI: "http://here/" });
  vi.stubGlobal("fetch", (_address: URL, options: { body?: string }) => {
    return new Promise<Response>((resolve) => {
      asked.push({
        loras: options.body ? (JSON.parse(options.body) as Asked).loras : {},
        answer: (status, body) => resolve(new Response(JSON.stringify(body), { status })),
      });
    });
  });
});

const told = (weights: Record<string, number>) => ({
  takes_loras: true,
  loras: Object.entries(weights).map(([name, weight]) => ({ name, weight })),
  available: ["ink"],
  notes: [],
});

test("a slider that is dragged asks again when it was answered, for the newest weight alone", async () => {
  const loras = new Loras();

  const done = loras.set("ink", 0.1);
  void loras.set("ink", 0.2);
  void loras.set("ink", 0.3);
  expect(asked.map(({ loras }) => loras)).toEqual([{ ink: 0.1 }]);
  asked[0]?.answer(200, told({ ink: 0.1 }));
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  asked[1]?.answer(200, told({ ink: 0.3 }));
  await done;

  expect(asked.map(({ loras }) => loras)).toEqual([{ ink: 0.1 }, { ink: 0.3 }]);
  expect(loras.told.value?.loras).toEqual([{ name: "ink", weight: 0.3 }]);
  expect(loras.wanted.value).toEqual({});
});

test("what the server refuses is told and wanted no more", async () => {
  const loras = new Loras();
  const done = loras.set("xl", 1);
  asked[0]?.answer(422, { detail: "LoRA xl: it is made for another model" });
  await done;

  expect(loras.problem.value).toBe("LoRA xl: it is made for another model");
  expect(loras.wanted.value).toEqual({});

  const next = loras.set("ink", null);
  expect(loras.problem.value).toBe("");
  asked[1]?.answer(200, told({}));
  await next;
  expect(loras.told.value?.loras).toEqual([]);
});

test("a server that is gone is said in the page's words, not in the browser's", async () => {
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("Failed to fetch");
  });
  const loras = new Loras();
  await loras.look();
  expect(loras.problem.value).toMatch(/^The server can't be reached\./);
});
