/** Decides which pointer draws and which moves the picture; a pen ends the fingers' right to draw. Pure. */

export interface Pointer {
  readonly id: number;
  readonly type: string;
  readonly x: number;
  readonly y: number;
  readonly at_ms: number;
}

/** What gestures call. Positions and distances are the pointers' own. */
export interface GestureActions {
  /** Pointers start to draw one at a time. */
  begin(pointer: Pointer): void;
  end(): void;
  /** Discards what was begun: it was a pinch, or a palm. */
  cancel(): void;
  /** The picture is moved, and magnified about a point. */
  move(factor: number, x: number, y: number, dx: number, dy: number): void;
}

/** A second finger so soon after the first makes a pinch of what looked like a stroke. */
const PINCH_MS = 300;

export class Gestures {
  /** Whether a finger draws. The first pen that is seen takes that away: from then on a hand may rest on the glass. */
  fingerDraws = true;

  readonly #actions: GestureActions;
  #drawing: Pointer | null = null;
  readonly #moving = new Map<number, Pointer>();

  constructor(actions: GestureActions) {
    this.#actions = actions;
  }

  get isDrawing(): boolean {
    return this.#drawing !== null;
  }

  /** @param moves whether this pointer is to move the picture: space is held, or it is the middle button. */
  down(pointer: Pointer, moves: boolean): void {
    if (pointer.type === "pen") this.#takeOver();
    if (moves) this.#moving.set(pointer.id, pointer);
    else if (pointer.type === "touch") this.#touch(pointer);
    else if (!this.#drawing) this.#draw(pointer);
  }

  /** @returns whether this is the pointer that draws. */
  moved(pointer: Pointer): boolean {
    if (this.#drawing?.id === pointer.id) return true;
    if (!this.#moving.has(pointer.id)) return false;
    const before = middle(this.#moving);
    this.#moving.set(pointer.id, pointer);
    const after = middle(this.#moving);
    const factor = before.spread > 0 && after.spread > 0 ? after.spread / before.spread : 1;
    this.#actions.move(factor, before.x, before.y, after.x - before.x, after.y - before.y);
    return false;
  }

  up(pointer: Pointer): void {
    this.#moving.delete(pointer.id);
    if (this.#drawing?.id !== pointer.id) return;
    this.#drawing = null;
    this.#actions.end();
  }

  /** The browser took the pointer for itself, or the source was switched away. */
  cancel(id: number): void {
    this.#moving.delete(id);
    if (this.#drawing?.id === id) this.#drop();
  }

  #touch(pointer: Pointer): void {
    const { fingerDraws } = this;
    if (this.#drawing) {
      const isPinch = this.#drawing.type === "touch" && pointer.at_ms - this.#drawing.at_ms < PINCH_MS;
      if (!isPinch) return;
      this.#moving.set(this.#drawing.id, this.#drawing);
      this.#drop();
      this.#moving.set(pointer.id, pointer);
    } else if (fingerDraws && this.#moving.size === 0) this.#draw(pointer);
    else this.#moving.set(pointer.id, pointer);
  }

  /** Ends what fingers and palm were doing. */
  #takeOver(): void {
    this.fingerDraws = false;
    this.#moving.clear();
    if (this.#drawing?.type === "touch") this.#drop();
  }

  #draw(pointer: Pointer): void {
    this.#drawing = pointer;
    this.#actions.begin(pointer);
  }

  #drop(): void {
    this.#drawing = null;
    this.#actions.cancel();
  }
}

function middle(pointers: ReadonlyMap<number, Pointer>): { x: number; y: number; spread: number } {
  const all = [...pointers.values()];
  const mean = (of: (pointer: Pointer) => number) => all.reduce((sum, each) => sum + of(each), 0) / all.length;
  const [x, y] = [mean((each) => each.x), mean((each) => each.y)];
  return { x, y, spread: all.length > 1 ? mean((each) => Math.hypot(each.x - x, each.y - y)) : 0 };
}
