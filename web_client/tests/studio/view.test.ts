/** What is on air, as the view has it. */

import { expect, test } from "vitest";
import { View } from "../../src/studio/view";

test("what others put on air is taken over at once, and nothing between is sent", () => {
  const view = new View();
  view.refuge.value = "camera";
  const sent: string[] = [];
  view.air.subscribe((air) => sent.push(air));

  view.follow("black");
  view.follow("bypass");

  expect(sent).toEqual(["on_air", "black", "bypass"]);
});
