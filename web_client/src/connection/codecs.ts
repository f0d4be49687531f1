/** Orders the browser's video codecs for the offer, and sets the bitrate they begin with. Pure. */

export type Codec = Pick<RTCRtpCodec, "mimeType" | "sdpFmtpLine">;

/**
 * The server takes no others. H.264 first: what is drawn on a canvas goes out in full range by Chromium, which H.264
 * says in its stream and VP8 can't (black ink of 21 arrives as 20 to 22, or as 4).
 */
const PREFERRED = ["video/h264", "video/vp8", "video/rtx"];

/** The codecs that the server takes, the best first. Browsers without H.264 are left with VP8. */
export function offered<C extends Codec>(codecs: readonly C[]): C[] {
  const rank = ({ mimeType }: C) => PREFERRED.indexOf(mimeType.toLowerCase());
  return codecs.filter((codec) => rank(codec) >= 0 && !isUnfragmented(codec)).sort((a, b) => rank(a) - rank(b));
}

/** Mode 0 of H.264 can't cut a picture into packets: the server refuses it. */
function isUnfragmented({ mimeType, sdpFmtpLine = "" }: Codec): boolean {
  return mimeType.toLowerCase() === "video/h264" && !sdpFmtpLine.includes("packetization-mode=1");
}

/** Chromium would begin at 300 kbit/s and need half a minute for a picture that is worth restyling. */
const START_KBPS = 3000;

/** An answer that tells Chromium at which bitrate to begin; other browsers pass over it. */
export function withStartBitrate(sdp: string): string {
  const start = `x-google-start-bitrate=${START_KBPS}`;
  const lines = sdp.split("\r\n");
  for (const [, payloadType] of sdp.matchAll(/^a=rtpmap:(\d+) (?:H264|VP8)\//gm)) {
    const parameters = lines.findIndex((line) => line.startsWith(`a=fmtp:${payloadType} `));
    const name = lines.findIndex((line) => line.startsWith(`a=rtpmap:${payloadType} `));
    if (parameters >= 0) lines[parameters] += `;${start}`;
    else lines.splice(name + 1, 0, `a=fmtp:${payloadType} ${start}`);
  }
  return lines.join("\r\n");
}
