import { beforeEach, describe, expect, test } from "vitest";
import { type Clip, ClipBin, type ClipBinOptions } from "../../src/sources/clips";
import { WHOLE } from "../../src/sources/trim";
import { FakeClock, settled } from "../fakes";

class FakeStore<T> {
  readonly kept = new Map<string, T>();
  isFull = false;
  writes = 0;
  read = async (key: string) => this.kept.get(key) ?? null;
  all = async () => [...this.kept.values()];
  remove = async (key: string) => void this.kept.delete(key);
  write = async (key: string, record: T) => {
    if (this.isFull) throw new DOMException("full", "QuotaExceededError");
    this.writes++;
    this.kept.set(key, record);
  };
}

let clock: FakeClock;
let clips: FakeStore<Clip>;
let files: FakeStore<Blob>;
let said: string[];
let bin: ClipBin;
let count: number;

function newBin(options: Partial<ClipBinOptions> = {}): ClipBin {
  return new ClipBin({
    clock,
    clips,
    files,
    look: async (file) => {
      if (file.name.startsWith("bad")) throw new Error("no picture in it");
      return `picture of ${file.name}`;
    },
    newId: () => `id ${++count}`,
    now_ms: () => 1000 * count,
    mention: (problem, detail) => said.push(`${problem} ${detail}`),
    ...options,
  });
}

beforeEach(() => {
  clock = new FakeClock();
  [clips, files, said, count] = [new FakeStore(), new FakeStore(), [], 0];
  bin = newBin();
});

const file = (name: string) => new File([name], name, { type: "video/webm" });
const names = (of: ClipBin) => of.clips.value.map(({ name }) => name);

test("clips are there again after a reload, in their order, with their files and how they play", async () => {
  await bin.add([file("one.webm"), file("two.webm")]);
  bin.trim("id 1", { ...WHOLE, in_s: 2 });
  clock.pass(500);
  await settled();

  const later = newBin();
  await later.restore();

  expect(names(later)).toEqual(["one.webm", "two.webm"]);
  const [one] = later.clips.value;
  expect(one).toMatchObject({ picture: "picture of one.webm", trim: { in_s: 2 } });
  const kept = one && (await later.file(one));
  expect([kept?.name, kept?.type, await kept?.text()]).toEqual(["one.webm", "video/webm", "one.webm"]);
});

test("a point that is moved in many steps is written once, and its file never again", async () => {
  await bin.add([file("one.webm")]);
  for (let step = 0; step < 50; step++) {
    bin.trim("id 1", { ...WHOLE, in_s: step / 10 });
    clock.pass(20);
  }
  clock.pass(1000);
  expect(clips.writes).toBe(2);
  expect(clips.kept.get("id 1")?.trim.in_s).toBe(4.9);
  expect(files.writes).toBe(1);
});

describe("what goes wrong", () => {
  test("a file that can't be shown is said, and keeps none of the others out", async () => {
    await bin.add([file("one.webm"), file("bad.webm"), file("two.webm")]);
    expect(names(bin)).toEqual(["one.webm", "two.webm"]);
    expect(said).toEqual(["fileUnreadable bad.webm"]);
  });

  test("where the browser has no room, that is said, the clip plays, and the others are kept", async () => {
    await bin.add([file("one.webm")]);
    files.isFull = true;
    await bin.add([file("two.webm")]);
    expect(said).toEqual(["clipNotKept two.webm"]);
    const two = bin.clips.value[1];
    expect(two && (await bin.file(two))?.name).toBe("two.webm");
    const later = newBin();
    await later.restore();
    expect(names(later)).toEqual(["one.webm"]);
  });

  test("half a clip is kept nowhere", async () => {
    clips.isFull = true;
    await bin.add([file("one.webm")]);
    expect(files.kept.size).toBe(0);
  });

  test("a browser without storage has no clips, and takes some", async () => {
    const none = async () => Promise.reject(new Error("blocked"));
    bin = newBin({ clips: { read: none, all: none, write: none, remove: none } as never, files: { ...files, write: none, read: none, remove: none } as never });
    await bin.restore();
    await bin.add([file("one.webm")]);
    expect(names(bin)).toEqual(["one.webm"]);
    expect(said).toEqual(["clipNotKept one.webm"]);
  });

  test("a file that is gone is none", async () => {
    await bin.add([file("one.webm")]);
    files.kept.clear();
    const later = newBin();
    await later.restore();
    const [one] = later.clips.value;
    expect(one && (await later.file(one))).toBeNull();
  });
});

test("a clip that is removed is gone from the browser, and comes back to its place", async () => {
  await bin.add([file("one.webm"), file("two.webm")]);
  const [one] = bin.clips.value;
  const undo = await bin.remove(one as Clip);
  expect([names(bin), clips.kept.size, files.kept.size]).toEqual([["two.webm"], 1, 1]);
  undo();
  await settled();
  expect(names(bin)).toEqual(["one.webm", "two.webm"]);
  expect([clips.kept.size, files.kept.size]).toEqual([2, 2]);
});
