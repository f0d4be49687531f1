/** Stores the drawing as one record in this browser's database, whole or not at all. Doesn't know when. */

import type { DrawingStore, KeptDrawing } from "./keeper";

const NAME = "realtime";
const STORE = "drawings";
const KEY = "newest";

export const browserStore: DrawingStore = {
  async read() {
    const found = await use<KeptDrawing | undefined>("readonly", (store) => store.get(KEY));
    return found ?? null;
  },
  async write(kept) {
    await use("readwrite", (store) => store.put(kept, KEY));
  },
};

async function use<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await answerOf<IDBDatabase>(opening);
  try {
    return await answerOf<T>(ask(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function answerOf<T>(request: IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error ?? new Error("no answer"));
  });
}
