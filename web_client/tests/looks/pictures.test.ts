import { beforeEach, expect, test, vi } from "vitest";
import { Pictures } from "../../src/looks/pictures";

const id = "a".repeat(32);
const file = new File(["wave"], "wave.big.png", { type: "image/png" });

/** A server and a browser's store, both in the test's hands. */
function pictures(refusal = "") {
  const [server, store] = [new Set<string>(), new Map<string, Blob>()];
  const problems: unknown[][] = [];
  const small = new Blob(["small"]);
  const all = new Pictures({
    shrink: async (picture, side) => {
      expect(side).toBe(512);
      if ((await picture.text()) !== "wave") throw new Error("no picture");
      return small;
    },
    send: async () => {
      if (refusal) throw new Error(refusal);
      server.add(id);
      return id;
    },
    fetch: async (one) => (server.has(one) ? small : null),
    store: {
      read: async (one) => store.get(one) ?? null,
      write: async (one, picture) => void store.set(one, picture),
      remove: async (one) => void store.delete(one),
    },
    onError: (...problem) => problems.push(problem),
  });
  return { all, server, store, problems };
}

beforeEach(() => {
  vi.stubGlobal("localStorage", { getItem: () => null, setItem() {} });
});

test("a file is brought small, and kept with its name", async () => {
  const { all, store, problems } = pictures();
  const bringing = all.bring(file);
  expect(all.isBusy.value).toBe(true);
  expect(await bringing).toBe(id);
  expect([all.isBusy.value, all.brought.value, [...store.keys()]]).toEqual([false, [{ id, name: "wave.big" }], [id]]);
  expect(all.urls.value.get(id)).toMatch(/^blob:/);
  await all.bring(file);
  expect(all.brought.value).toHaveLength(1);
  expect(problems).toEqual([]);
});

test("what is no picture, and what the server refuses, is said", async () => {
  const { all, problems } = pictures("no room");
  expect(await all.bring(new File(["text"], "a.txt"))).toBeNull();
  expect(await all.bring(file)).toBeNull();
  expect(problems).toEqual([["noPicture"], ["pictureRefused", "no room"]]);
  expect([all.isBusy.value, all.brought.value]).toEqual([false, []]);
});

test("a server that was restarted gets them again from this browser", async () => {
  const { all, server, store } = pictures();
  await all.bring(file);
  expect(await all.bringAgain([id])).toBe("there");
  server.clear();
  expect(await all.bringAgain([id, id])).toBe("brought");
  expect(server.has(id)).toBe(true);
  server.clear();
  store.clear();
  expect(await all.bringAgain([id])).toBe("missing");
});

test("how one looks is known from this browser, else from the server, else it is missing", async () => {
  const { all, server } = pictures();
  await all.find(id);
  expect(all.urls.value.get(id)).toBeNull();
  server.add(id);
  await all.find(id);
  expect(all.urls.value.get(id)).toMatch(/^blob:/);
});
