import { expect, test } from "vitest";
import { type Circumstances, isLoopback, type TransportKind, transportFor } from "../../src/connection/transport_choice";

const cameraOverNetwork: Circumstances = { choice: "automatic", isVideo: true, isLocal: false, hasFailed: false };

test.each<[string, Partial<Circumstances>, TransportKind]>([
  ["a camera over a network", {}, "webrtc"],
  ["a camera beside the server", { isLocal: true }, "websocket"],
  ["a drawing, or nothing yet", { isVideo: false }, "websocket"],
  ["a camera where WebRTC doesn't get through", { hasFailed: true }, "websocket"],
  ["WebRTC by hand, whatever speaks against it", { choice: "webrtc", isVideo: false, hasFailed: true }, "webrtc"],
  ["WebSocket by hand", { choice: "websocket" }, "websocket"],
])("%s", (_, circumstances, expected) => {
  expect(transportFor({ ...cameraOverNetwork, ...circumstances })).toBe(expected);
});

test.each(["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])("%s is this machine", (hostname) => {
  expect(isLoopback(hostname)).toBe(true);
});

test.each(["192.168.0.7", "127.0.0.1.example.org", "localhost.example.org", "[2001:db8::1]", ""])(
  "%s is another machine",
  (hostname) => {
    expect(isLoopback(hostname)).toBe(false);
  },
);
