/** Has one picture made at several strengths, in a session of its own, so that the live one goes on. Knows no page. */

import type { Dial, Transport } from "../connection/connection";
import { Format, type Frame, type Params, packFrame, type Ready, type ServerMessage, type Value } from "../protocol";

export const STRENGTHS = [0.2, 0.35, 0.5, 0.65, 0.8] as const;

const PATIENCE_MS = 20_000;

export interface PreviewOptions {
  dial: Dial;
  after: (ms: number, action: () => void) => () => void;
  /** The picture to try, as a JPEG in the size of the params. */
  jpeg: Uint8Array;
  /** Look and size of the live session. */
  params: Readonly<Record<string, Value>>;
  onPicture: (index: number, frame: Frame) => void;
  /** Told the session's name once it is over: left alone, the server would keep its place for a while. */
  onOver: (session: string) => void;
}

/** Resolves when all are there; rejects where the server has no place, ends, refuses or takes too long. */
export function previewStrengths({ dial, after, jpeg, params, onPicture, onOver }: PreviewOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let index = 0;
    let version: number | null = null;
    let session: string | null = null;
    const end = (finish: () => void) => {
      callOff();
      transport.close();
      if (session !== null) onOver(session);
      finish();
    };
    const callOff = after(PATIENCE_MS, () => end(() => reject(new Error("it took too long"))));
    const ask = () => {
      const { version: _, ...rest } = params;
      transport.send({ type: "params", params: { ...rest, strength: STRENGTHS[index] ?? 0.5 } });
    };
    const send = ({ version: inForce }: Params) => {
      version = inForce;
      const header = { format: Format.jpeg, flags: 0, captured_us: 0n, params_version: 0, engine_us: 0 };
      transport.sendFrame?.(packFrame({ ...header, seq: index + 1 }, jpeg));
    };
    const receive = (message: ServerMessage | Ready) => {
      if (message.type === "ready") {
        session = message.session;
        ask();
      }
      if (message.type === "params") send(message.params);
      if (message.type === "queued" || message.type === "error" || message.type === "closed")
        end(() => reject(new Error(message.type)));
    };
    const transport: Transport = dial({
      message: receive,
      frame: (frame) => {
        if (frame.params_version !== version) return;
        onPicture(index, frame);
        version = null;
        index++;
        if (index < STRENGTHS.length) ask();
        else end(resolve);
      },
      video() {},
      closed: (code) => end(() => reject(new Error(`closed with ${code}`))),
    });
  });
}
