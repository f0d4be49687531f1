import { describe, expect, test } from "vitest";
import { clockText, recordingTypes, sizeText } from "../../src/keep/recording_types";

describe("recording", () => {
  test("offers one type for each kind of file that the browser makes", () => {
    expect(recordingTypes((type) => type.startsWith("video/webm")).map(({ mimeType }) => mimeType)).toEqual([
      "video/webm;codecs=vp9",
    ]);
    expect(recordingTypes(() => true).map(({ extension }) => extension)).toEqual(["mp4", "webm"]);
    expect(recordingTypes(() => false)).toEqual([]);
  });

  test("tells time and size", () => {
    expect([clockText(65_900), clockText(0), sizeText(1_250_000)]).toEqual(["1:05", "0:00", "1.3 MB"]);
  });
});
