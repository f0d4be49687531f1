"""A WHIP publisher on GStreamer's webrtcbin (libnice, OpenSSL, an RSA certificate).

Runs under the Python that Debian's GStreamer bindings are for: standard library and gi only.
Options: url, codec (VP8 or H264), tries (connect, end, again) or none (stay until standard input closes).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any
from urllib.parse import urljoin
from urllib.request import ProxyHandler, Request, build_opener

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("Nice", "0.1")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC, Nice  # noqa: E402

ENCODERS = {
    "VP8": "vp8enc name=encoder deadline=1 cpu-used=8 target-bitrate=2000000 keyframe-max-dist=30 ! rtpvp8pay pt=96"
    " ! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "H264": "openh264enc name=encoder bitrate=2000000 gop-size=30 complexity=low"
    " ! video/x-h264,profile=constrained-baseline ! h264parse"
    " ! rtph264pay config-interval=-1 aggregate-mode=zero-latency pt=96"
    " ! application/x-rtp,media=video,encoding-name=H264,payload=96",
}
SOURCE = "videotestsrc is-live=true pattern=smpte75 ! video/x-raw,format=I420,width=512,height=512,framerate=30/1"
PATIENCE_S = 60

options = json.loads(sys.argv[1])
opener = build_opener(ProxyHandler({}))


def say(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def request(url: str, method: str, body: str | None = None) -> Any:
    headers = {"Content-Type": "application/sdp"} if body else {}
    data = body.encode() if body else None
    return opener.open(Request(url, data, headers, method=method), timeout=PATIENCE_S)


class Publisher:
    def __init__(self) -> None:
        self.begun_s = time.monotonic()
        self.connected = threading.Event()
        self.ms = 0.0
        self.resource = ""
        self.frames = 0
        self._pipeline = Gst.parse_launch(
            f"webrtcbin name=peer bundle-policy=max-bundle {SOURCE} ! queue ! {ENCODERS[options['codec']]} ! peer."
        )
        encoded = self._pipeline.get_by_name("encoder").get_static_pad("src")
        encoded.add_probe(Gst.PadProbeType.BUFFER, self._on_encoded)
        self._peer = self._pipeline.get_by_name("peer")
        # libnice leaves loopback out, unless it is all that it is told of. The agent is kept: the bindings take over
        # webrtcbin's own reference to it, and would free it with theirs.
        self._ice = self._peer.get_property("ice-agent")
        agent = self._ice.get_property("agent")
        loopback = Nice.Address.new()
        loopback.set_from_string("127.0.0.1")
        agent.add_local_address(loopback)
        self._peer.connect("on-negotiation-needed", self._on_negotiation_needed)
        self._peer.connect("notify::connection-state", self._on_state)
        self._peer.connect("notify::ice-gathering-state", self._on_gathered)
        self._pipeline.set_state(Gst.State.PLAYING)

    def _on_encoded(self, *_: Any) -> Any:
        self.frames += self.connected.is_set()
        return Gst.PadProbeReturn.OK

    def _on_negotiation_needed(self, peer: Any) -> None:
        for transceiver in [peer.emit("get-transceiver", 0)]:
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self._on_offer))

    def _on_offer(self, promise: Any) -> None:
        promise.wait()
        reply = promise.get_reply()  # kept: without it the offer is freed
        self._peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def _on_gathered(self, peer: Any, _: Any) -> None:
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            threading.Thread(target=self._post, daemon=True).start()

    def _post(self) -> None:
        offer = self._peer.get_property("local-description").sdp.as_text()
        with request(options["url"], "POST", offer) as answer:
            self.resource = urljoin(options["url"], answer.headers["Location"])
            _, message = GstSdp.SDPMessage.new()
            GstSdp.sdp_message_parse_buffer(answer.read(), message)
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self._peer.emit("set-remote-description", description, Gst.Promise.new())

    def _on_state(self, peer: Any, _: Any) -> None:
        state = peer.get_property("connection-state")
        if state == GstWebRTC.WebRTCPeerConnectionState.CONNECTED:
            self.ms = 1000 * (time.monotonic() - self.begun_s)
            self.connected.set()
        elif state == GstWebRTC.WebRTCPeerConnectionState.FAILED:
            say("failed")

    def end(self) -> None:
        request(self.resource, "DELETE").close()
        self._pipeline.set_state(Gst.State.NULL)


def main() -> None:
    Gst.init(None)
    threading.Thread(target=GLib.MainLoop().run, daemon=True).start()
    for _ in range(options.get("tries") or 1):
        publisher = Publisher()
        assert publisher.connected.wait(PATIENCE_S), "it did not connect"
        say("connected", ms=publisher.ms)
        if not options.get("tries"):
            sys.stdin.read()
            say("sent", frames=publisher.frames)
        publisher.end()
    say("done")


main()
