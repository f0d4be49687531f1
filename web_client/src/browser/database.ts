/** Records in this browser's databases, each whole or not at all. Knows none of them. */

/**
 * One kind of records, in a database of its own.
 * @throws from both where the browser keeps nothing.
 */
export class Records<T> {
  readonly #database: string;
  readonly #store: string;

  constructor(database: string, store: string) {
    this.#database = database;
    this.#store = store;
  }

  /** Null where there is no record of that key. */
  async read(key: string): Promise<T | null> {
    return (await this.#use<T | undefined>("readonly", (store) => store.get(key))) ?? null;
  }

  /** All of them, in the order of their keys. */
  all(): Promise<T[]> {
    return this.#use("readonly", (store) => store.getAll());
  }

  async write(key: string, record: T): Promise<void> {
    await this.#use("readwrite", (store) => store.put(record, key));
  }

  async remove(key: string): Promise<void> {
    await this.#use("readwrite", (store) => store.delete(key));
  }

  async #use<A>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest): Promise<A> {
    const opening = indexedDB.open(this.#database, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(this.#store);
    const database = await answerOf<IDBDatabase>(opening);
    try {
      return await answerOf<A>(ask(database.transaction(this.#store, mode).objectStore(this.#store)));
    } finally {
      database.close();
    }
  }
}

function answerOf<T>(request: IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error ?? new Error("no answer"));
  });
}
