import { expect, test, vi } from "vitest";
import type { Client } from "../../src/studio/client";
import { LargeStill, scalesOf } from "../../src/studio/large_still";
import { settled } from "../fakes";

test("the shorter side comes to 2048 pixels, and small pictures to no more than is needed for it", () => {
  expect(scalesOf(512, 512)).toEqual({ scales: [2, 3, 4], best: 4 });
  expect(scalesOf(768, 512)).toEqual({ scales: [2, 3, 4], best: 4 });
  expect(scalesOf(1024, 768)).toEqual({ scales: [2, 3, 4], best: 3 });
  expect(scalesOf(256, 256)).toEqual({ scales: [2, 3, 4, 5, 6, 8], best: 8 });
  expect(scalesOf(384, 384)).toEqual({ scales: [2, 3, 4, 5, 6], best: 6 });
  expect(scalesOf(448, 448)).toEqual({ scales: [2, 3, 4, 5], best: 5 });
});

test("what would be larger than the server makes is not offered", () => {
  expect(scalesOf(2048, 2048)).toEqual({ scales: [2], best: 2 });
  expect(scalesOf(2048, 1024)).toEqual({ scales: [2], best: 2 });
});

/** A server that is asked for a still, and answers when it is told to. */
function aServer() {
  const asked: { url: string; method: string }[] = [];
  let answer: (response: Response) => void = () => {};
  vi.stubGlobal("sessionStorage", { getItem: () => "s1", setItem() {} });
  vi.stubGlobal("document", { baseURI: "http://host/studio/" });
  vi.stubGlobal("fetch", async (url: URL, { method = "GET", signal }: RequestInit = {}) => {
    asked.push({ url: url.href.replace(/sessions\/\w+/, "sessions/S"), method });
    if (method === "GET") return new Response(JSON.stringify({ done: 3, of: 10 }));
    return new Promise<Response>((resolve, reject) => {
      answer = resolve;
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  });
  return { asked, answer: (response: Response) => answer(response) };
}

function aClient() {
  const saved: unknown[][] = [];
  const mentioned: unknown[][] = [];
  const client = {
    inputs: { canvas: { png: async () => new Blob(["drawing"]) } },
    problems: { mention: (...problem: unknown[]) => mentioned.push(problem) },
    save: (file: Blob, ...name: unknown[]) => saved.push([file.size, ...name]),
  } as unknown as Client;
  return { client, saved, mentioned };
}

test("one is made at a time, tells how far it is, and is saved", async () => {
  vi.useFakeTimers();
  const server = aServer();
  const { client, saved, mentioned } = aClient();
  const still = new LargeStill(client);
  const making = still.save(4);
  void still.save(2);
  await vi.advanceTimersByTimeAsync(500);
  expect(still.progress.value).toEqual({ done: 3, of: 10 });
  server.answer(new Response("picture"));
  await making;
  vi.useRealTimers();
  expect(server.asked.filter(({ method }) => method === "POST")).toEqual([
    { url: "http://host/studio/api/sessions/S/still?scale=4", method: "POST" },
  ]);
  expect(saved).toEqual([[7, "drawing-large", "png"]]);
  expect([still.progress.value, mentioned]).toEqual([null, []]);
});

test("one that is refused is told in the server's words, and one that is cancelled not at all", async () => {
  const server = aServer();
  const { client, saved, mentioned } = aClient();
  const still = new LargeStill(client);
  const refused = still.save(4);
  await settled();
  server.answer(new Response(JSON.stringify({ detail: "too many" }), { status: 503 }));
  await refused;
  expect(mentioned).toEqual([["stillFailed", "too many"]]);
  const cancelled = still.save(4);
  await settled();
  still.cancel();
  await cancelled;
  expect([still.progress.value, mentioned.length, saved]).toEqual([null, 1, []]);
});
