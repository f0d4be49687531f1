/** Has one picture made in several looks, in a session of its own, one after another. Shows and keeps nothing. */

import type { Dial, Transport } from "../connection/connection";
import { Format, type Frame, type Params, packFrame, type Ready, type ServerMessage, type Value } from "../protocol";

export const STRENGTHS = [0.2, 0.35, 0.5, 0.65, 0.8] as const;

/** For each picture. */
const PATIENCE_MS = 20_000;
const LEAST_REST_MS = 400;
/** Where even the quickest of them took long, waiting for the rest would take too long. */
const MOST_REST_MS = 10_000;

export interface PreviewOptions {
  dial: Dial;
  clock: { now(): number; after(ms: number, action: () => void): () => void };
  /** The picture to try, as a JPEG in the size of the looks. */
  jpeg: Uint8Array;
  /** The params of each try, with the size. */
  looks: readonly Readonly<Record<string, Value>>[];
  /**
   * How long to rest after each picture, in times of what the quickest took; 0: not at all. What it took has waiting in it,
   * so that a live picture beside loses less than 1 in 1 + `rests` of its rate, unless a picture takes seconds.
   */
  rests: number;
  onPicture: (index: number, frame: Frame) => void;
  /** Told the session's name once it is over: left alone, the server would keep its place for a while. */
  onOver: (session: string) => void;
  /** Ends it early. */
  abort?: AbortSignal | undefined;
}

/** Resolves when all are there; rejects where the server has no place, ends, refuses or takes too long. */
export function preview({ dial, clock, jpeg, looks, rests, onPicture, onOver, abort }: PreviewOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let index = 0;
    let version: number | null = null;
    let session: string | null = null;
    let askedAt_ms = clock.now();
    // Of the first one the server may have compiled or captured something: that says nothing of those to come.
    let quickest_ms = Number.POSITIVE_INFINITY;
    let callOff = () => {};
    const calledOff = () => fail("it was called off");
    const end = (finish: () => void) => {
      callOff();
      abort?.removeEventListener("abort", calledOff);
      transport.close();
      if (session !== null) onOver(session);
      finish();
    };
    const fail = (why: string) => end(() => reject(new Error(why)));
    const wait = () => {
      callOff();
      callOff = clock.after(PATIENCE_MS, () => fail("it took too long"));
    };
    const ask = () => {
      wait();
      askedAt_ms = clock.now();
      const { version: _, ...params } = looks[index] ?? {};
      // At once, also where the look has a transition of its own.
      transport.send({ type: "params", params, transition_s: 0 });
    };
    const send = ({ version: inForce }: Params) => {
      version = inForce;
      const header = { format: Format.jpeg, flags: 0, captured_us: 0n, params_version: 0, engine_us: 0 };
      transport.sendFrame?.(packFrame({ ...header, seq: index + 1 }, jpeg));
    };
    const goOn = () => {
      if (index === looks.length) return end(resolve);
      if (rests === 0) return ask();
      callOff();
      quickest_ms = Math.min(quickest_ms, clock.now() - askedAt_ms);
      callOff = clock.after(Math.min(MOST_REST_MS, Math.max(LEAST_REST_MS, rests * quickest_ms)), ask);
    };
    const receive = (message: ServerMessage | Ready) => {
      if (message.type === "ready") {
        session = message.session;
        ask();
      }
      if (message.type === "params") send(message.params);
      if (message.type === "queued" || message.type === "error" || message.type === "closed") fail(message.type);
    };
    const transport: Transport = dial({
      message: receive,
      frame: (frame) => {
        if (frame.params_version !== version) return;
        onPicture(index, frame);
        version = null;
        index++;
        goOn();
      },
      video() {},
      closed: (code) => fail(`closed with ${code}`),
    });
    abort?.addEventListener("abort", calledOff);
    wait();
  });
}
