/** Reads round trip, buffering and codec out of a peer connection's statistics. Pure: reports in, numbers out. */

export interface LinkMeasurements {
  /** Of the network alone; null until it was measured. */
  roundTrip_ms: number | null;
  /** How long received pictures wait for others before they are shown; null while none arrive. */
  jitterBuffer_ms: number | null;
  /** Of the video that arrives. */
  codec: string | null;
}

/** One statistics object; its fields depend on its type (W3C webrtc-stats). */
export interface Report {
  id: string;
  type: string;
  [field: string]: unknown;
}

/** Sums over the whole connection, of which the newest piece is wanted. */
interface Sums {
  delay_s: number;
  pictures: number;
}

export class LinkReader {
  #before: Sums = { delay_s: 0, pictures: 0 };

  read(reports: ReadonlyMap<string, Report>): LinkMeasurements {
    const all = [...reports.values()];
    const video = all.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    const roundTrip_s = pairInUse(reports, all)?.currentRoundTripTime;
    return {
      roundTrip_ms: typeof roundTrip_s === "number" ? roundTrip_s * 1000 : null,
      jitterBuffer_ms: video ? this.#jitterBuffer_ms(video) : null,
      codec: codecName(reports.get(String(video?.codecId))?.mimeType),
    };
  }

  #jitterBuffer_ms(video: Report): number | null {
    const now: Sums = { delay_s: numberOf(video.jitterBufferDelay), pictures: numberOf(video.jitterBufferEmittedCount) };
    const { delay_s, pictures } = this.#before;
    this.#before = now;
    return now.pictures > pictures ? ((now.delay_s - delay_s) * 1000) / (now.pictures - pictures) : null;
  }
}

function pairInUse(reports: ReadonlyMap<string, Report>, all: Report[]): Report | undefined {
  const transport = all.find(({ type }) => type === "transport");
  // Firefox has no transport statistics, but marks the pair itself.
  return (
    reports.get(String(transport?.selectedCandidatePairId)) ??
    all.find(({ type, selected }) => type === "candidate-pair" && selected === true)
  );
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function codecName(mimeType: unknown): string | null {
  return typeof mimeType === "string" ? mimeType.replace(/^video\//i, "") : null;
}
