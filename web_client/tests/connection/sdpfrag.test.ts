import { expect, test } from "vitest";
import { iceCredentials, sdpFragment } from "../../src/connection/sdpfrag";

const credentials = { ufrag: "EsAw", pwd: "P2uYro0UCOQ4zxjKXaWCBui1" };
const host = "candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw";

test("reads the credentials of a session description", () => {
  const sdp = `v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:EsAw\r\na=ice-pwd:${credentials.pwd}\r\na=mid:0\r\n`;
  expect(iceCredentials(sdp)).toEqual(credentials);
  expect(iceCredentials("v=0\r\n")).toBeNull();
});

test("carries candidates and says when they are all", () => {
  expect(sdpFragment(credentials, "0", [host], true)).toBe(
    "a=ice-ufrag:EsAw\r\n" +
      "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n" +
      "m=video 9 UDP/TLS/RTP/SAVPF 0\r\n" +
      "a=mid:0\r\n" +
      `a=${host}\r\n` +
      "a=end-of-candidates\r\n",
  );
});

test("promises nothing while more may come", () => {
  expect(sdpFragment(credentials, "0", [host, host], false).split("\r\n").slice(3)).toEqual([
    "a=mid:0",
    `a=${host}`,
    `a=${host}`,
    "",
  ]);
});
