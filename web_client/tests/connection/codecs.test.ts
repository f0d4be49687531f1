import { describe, expect, test } from "vitest";
import { type Codec, offered, withStartBitrate } from "../../src/connection/codecs";

const vp8: Codec = { mimeType: "video/VP8" };
const rtx: Codec = { mimeType: "video/rtx" };
const h264 = (mode: number): Codec => ({
  mimeType: "video/H264",
  sdpFmtpLine: `level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=42e01f`,
});

describe("the offer", () => {
  test("has H.264 before VP8, and none that the server doesn't take", () => {
    const codecs = [vp8, rtx, { mimeType: "video/VP9" }, h264(1), { mimeType: "video/AV1" }, { mimeType: "video/red" }];
    expect(offered(codecs)).toEqual([h264(1), vp8, rtx]);
  });

  test("leaves out H.264 that can't be cut into packets", () => {
    expect(offered([h264(0), h264(1), { mimeType: "video/H264" }])).toEqual([h264(1)]);
  });

  test("is VP8 where there is no H.264", () => {
    expect(offered([vp8, rtx])).toEqual([vp8, rtx]);
  });
});

describe("the start bitrate", () => {
  test("joins the parameters of a codec that has some, and follows the name of one that has none", () => {
    const sdp = [
      "a=rtpmap:102 H264/90000",
      "a=fmtp:102 packetization-mode=1",
      "a=rtpmap:103 rtx/90000",
      "a=fmtp:103 apt=102",
      "a=rtpmap:96 VP8/90000",
      "a=rtcp-fb:96 nack pli",
      "",
    ].join("\r\n");
    expect(withStartBitrate(sdp).split("\r\n")).toEqual([
      "a=rtpmap:102 H264/90000",
      "a=fmtp:102 packetization-mode=1;x-google-start-bitrate=3000",
      "a=rtpmap:103 rtx/90000",
      "a=fmtp:103 apt=102",
      "a=rtpmap:96 VP8/90000",
      "a=fmtp:96 x-google-start-bitrate=3000",
      "a=rtcp-fb:96 nack pli",
      "",
    ]);
  });
});
