import { expect, test } from "vitest";
import { addressOf, outlets } from "../../src/studio/outlets";

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
