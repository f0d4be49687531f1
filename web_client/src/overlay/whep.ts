/** A session's pictures by WebRTC (WHEP). Knows no page. */

import { peerBeside } from "../browser/beside";
import type { Clock } from "../browser/clock";
import { isStacked } from "../browser/keyed";
import { onNextPicture } from "../browser/video_frames";
import type { Read } from "./viewer";

/** How often the session is asked for the shape of its pictures, which a video doesn't tell. */
const ASK_EVERY_MS = 1_000;

interface Shape {
  width: number;
  height: number;
  /** Whether the session puts black on air: heard up to a second late. */
  isBlacked: boolean;
}

/**
 * @param clock tells when to ask.
 * @param offerTo address of `/whep` for the session.
 * @param shape of the session's pictures; rejects where there is no session.
 * @param draw puts the video's present picture on the page.
 */
export function readWhep(
  clock: Clock,
  offerTo: URL,
  shape: () => Promise<Shape>,
  draw: (video: HTMLVideoElement, isStacked: boolean, isBlacked: boolean) => void,
): Read {
  return async ({ open, heard }, abort) => {
    let wanted = await shape();
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, autoplay: true });
    let resource: URL | null = null;
    try {
      const over = new Promise<void>((resolve) => {
        abort.addEventListener("abort", () => resolve());
        peer.onconnectionstatechange = () => {
          if (peer.connectionState === "failed" || peer.connectionState === "closed") resolve();
        };
      });
      peer.addTransceiver("video", { direction: "recvonly" });
      peer.ontrack = ({ track }) => {
        video.srcObject = new MediaStream([track]);
        void video.play().catch(() => {});
      };
      const next = () => {
        if (abort.aborted || peer.connectionState === "closed") return;
        if (video.videoWidth > 0) draw(video, isStacked(video.videoWidth, video.videoHeight, wanted), wanted.isBlacked);
        onNextPicture(video, next);
      };
      onNextPicture(video, next);
      await peer.setLocalDescription();
      const headers = { "Content-Type": "application/sdp" };
      const answer = await fetch(offerTo, { method: "POST", headers, body: peer.localDescription?.sdp ?? "", signal: abort });
      if (!answer.ok) return;
      resource = peerBeside("whep", answer.headers);
      await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
      open();
      await Promise.race([over, ask()]);
    } finally {
      peer.close();
      if (resource) void fetch(resource, { method: "DELETE", keepalive: true }).catch(() => {});
    }

    /** Until the session is gone. */
    async function ask(): Promise<void> {
      while (!abort.aborted) {
        await new Promise<void>((resolve) => clock.after(ASK_EVERY_MS, resolve));
        wanted = await shape();
        heard();
      }
    }
  };
}
