import { beforeEach, describe, expect, test, vi } from "vitest";
import { OwnCode } from "../../src/connection/connection";
import { codeOf, httpSignaling, SignalingError } from "../../src/connection/signaling";
import { CloseCode } from "../../src/protocol";

let requests: [string, RequestInit][];
let respond: () => Response;

beforeEach(() => {
  requests = [];
  const headers = { Location: "/rtc/a1b2", ETag: '"7"' };
  respond = () => new Response("v=0", { status: 201, headers });
  vi.stubGlobal("document", { baseURI: "https://example.org/studio/" });
  vi.stubGlobal("fetch", async (url: URL, request: RequestInit) => {
    requests.push([String(url), request]);
    return respond();
  });
});

const signaling = httpSignaling(() => "evening show");

describe("an offer", () => {
  test("goes to /rtc with the session's name, beside the page", async () => {
    expect((await signaling.offer("offer")).sdp).toBe("v=0");
    const headers = { "Content-Type": "application/sdp" };
    expect(requests).toEqual([
      ["https://example.org/studio/rtc?session=evening+show", { method: "POST", headers, body: "offer" }],
    ]);
  });

  test("is followed by candidates and the end at the place that the answer names", async () => {
    const answer = await signaling.offer("offer");
    await answer.trickle("fragment");
    answer.end();
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": '"7"' };
    expect(requests.slice(1)).toEqual([
      ["https://example.org/studio/rtc/a1b2", { method: "PATCH", headers, body: "fragment" }],
      ["https://example.org/studio/rtc/a1b2", { method: "DELETE", keepalive: true }],
    ]);
  });

  test("that is refused says why in the server's words", async () => {
    respond = () => Response.json({ detail: "this server takes H264 or VP8" }, { status: 422 });
    const refusal = new SignalingError(OwnCode.unconnected, "this server takes H264 or VP8");
    await expect(signaling.offer("offer")).rejects.toEqual(refusal);
  });

  test("that a proxy refuses says at least which status", async () => {
    respond = () => new Response("<html>", { status: 502, statusText: "Bad Gateway" });
    await expect(signaling.offer("offer")).rejects.toThrow("502 Bad Gateway");
  });

  test("that nobody takes is a lost one", async () => {
    respond = () => {
      throw new TypeError("Failed to fetch");
    };
    await expect(signaling.offer("offer")).rejects.toMatchObject({ code: OwnCode.lost });
    await expect(signaling.config()).rejects.toMatchObject({ code: OwnCode.lost });
  });
});

test("candidates and the end may get lost without a word", async () => {
  const answer = await signaling.offer("offer");
  respond = () => {
    throw new TypeError("Failed to fetch");
  };
  await answer.trickle("fragment");
  answer.end();
});

test.each([
  [401, CloseCode.refused],
  [403, OwnCode.denied],
  [421, OwnCode.denied],
  [404, OwnCode.unavailable],
  [405, OwnCode.unavailable],
  [400, OwnCode.unconnected],
  [500, OwnCode.unconnected],
  [503, CloseCode.full],
])("status %i amounts to %i", (status, code) => {
  expect(codeOf(status)).toBe(code);
});
