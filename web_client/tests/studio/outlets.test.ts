import { expect, test } from "vitest";
import { addressOf, outlets, remoteAddress } from "../../src/studio/outlets";

const open = { base: "https://example.org/studio/?x=1#preset=a", session: "show", ticket: null, overlay: {} };

test("each outlet has an address beside the page", () => {
  expect(outlets.map((outlet) => addressOf(outlet, open))).toEqual([
    "https://example.org/studio/overlay?session=show",
    "https://example.org/studio/whep?session=show",
    "https://example.org/studio/api/sessions/show/stream.mjpg",
    "https://example.org/studio/whip?session=show",
  ]);
});

test("what the overlay is asked for stands in its address alone", () => {
  const asked = { ...open, overlay: { fit: "contain" } };
  expect(addressOf("overlay", asked)).toBe("https://example.org/studio/overlay?session=show&fit=contain");
  expect(addressOf("whep", asked)).toBe(addressOf("whep", open));
});

test("who watches brings the ticket, and who sends doesn't: it is none for that", () => {
  const guarded = { ...open, ticket: "t" };
  expect(addressOf("mjpeg", guarded)).toBe("https://example.org/studio/api/sessions/show/stream.mjpg?ticket=t");
  expect(addressOf("whip", guarded)).toBe(addressOf("whip", open));
});

test("a phone finds the remote at an address of the network, whatever this page is open as", () => {
  const base = "http://localhost:8777/studio/#preset=a";
  expect(remoteAddress(base, "192.168.1.5", "show", null)).toBe("http://192.168.1.5:8777/studio/remote?session=show");
  expect(remoteAddress(base, "fd00::5", "show", "t")).toBe("http://[fd00::5]:8777/studio/remote?session=show&ticket=t");
});
