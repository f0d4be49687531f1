"""One peer connection: offer and answer, trickled candidates, and the detection that the other side is gone.

Knows aiortc; must not know sessions or HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError
from aiortc.sdp import candidate_from_sdp
from aiortc.stats import RTCTransportStats

from ..connection import Gone
from . import seams
from .broadcast import Outbound, Packetizer
from .candidates import TAKEN_MAX
from .control import ControlChannel
from .decoder import EncodedFrame
from .guards import guard
from .intake import Intake
from .offer_text import offer_for_aiortc
from .sdp import (
    CANDIDATES_MAX,
    Fragment,
    OfferError,
    Purpose,
    answer_for_peer,
    check_offer,
    video_codec,
)

log = logging.getLogger(__name__)

CONNECT_S = 15.0
"""A peer that has not connected by then is taken for gone: its NAT may let nothing through."""
FAILED_S = 5.0
"""Time without packets after which a "failed" connection ends: a candidate pair unknown to aioice may work."""
LOOK_EVERY_S = 0.5


class Peer:
    """A peer connection that answers one offer.

    Args:
        purpose: directions of its media.
        ice_servers: STUN and TURN servers for our own candidates; none where the list is empty.
        on_loopback: whether this server listens on a loopback address.
    """

    def __init__(self, purpose: Purpose, ice_servers: Sequence[RTCIceServer], *, on_loopback: bool = False) -> None:
        self.purpose = purpose
        self.intake: Intake | None = None
        self.outbound: Outbound | None = None
        self.control = ControlChannel()
        # One transport for all: without this, one is made for each section and thrown away again. An empty list of
        # servers must be said: aiortc's own default asks a public STUN server.
        configuration = RTCConfiguration(list(ice_servers), bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self._connection = RTCPeerConnection(configuration)
        self._connection.on("datachannel", self.control.adopt)
        self._connection.on("connectionstatechange", self._on_state)
        self._connected = asyncio.Event()
        self._sender: RTCRtpSender | None = None
        self._username_fragment: str | None = None
        self._on_loopback = on_loopback
        self._offered = 0

    async def answer(self, text: str) -> str:
        """Answer an offer.

        Returns:
            The SDP answer, with all our candidates.

        Raises:
            OfferError: the offer is refused.
        """
        offer = check_offer(text, self.purpose)
        sections = offer.description.media
        ice = sections[0].ice
        assert ice is not None
        self._username_fragment = ice.usernameFragment
        self._offered = sum(len(media.ice_candidates) for media in sections)
        changed = offer_for_aiortc(offer.text, on_loopback=self._on_loopback)
        is_server = any(media.dtls is not None and media.dtls.role == "server" for media in sections)
        await asyncio.sleep(0)  # between two pieces of some milliseconds others have their turn
        try:
            return await self._answer(changed, is_server)
        except OperationError:
            raise OfferError(
                422, "the offer has no codec, or no H.264 profile, that this server takes: offer VP8 too"
            ) from None
        except OSError:
            raise  # no socket can be opened: the offer is not to blame
        except Exception as error:  # aiortc raises whatever comes to hand
            log.debug("aiortc can't take an offer", exc_info=True)
            raise OfferError(400, "the offer can't be answered: its sections don't fit each other") from error

    async def _answer(self, offer: str, is_dtls_server: bool) -> str:
        connection = self._connection
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await asyncio.sleep(0)
        self._prepare_transceivers()
        transport = connection.getTransceivers()[0].receiver.transport
        if is_dtls_server:
            seams.say_hello_twice(transport)
        if self.purpose is Purpose.PUBLISH:
            seams.take_traffic_for_consent(transport)
        await connection.setLocalDescription(await connection.createAnswer())
        guard(connection)
        answer = answer_for_peer(connection.localDescription.sdp)
        if self.outbound is not None:
            self.outbound.codec = video_codec(answer)
        return answer

    def _prepare_transceivers(self) -> None:
        video = next(t for t in self._connection.getTransceivers() if t.kind == "video")
        for transceiver in self._connection.getTransceivers():
            if transceiver is video and self.purpose is not Purpose.PLAY:
                self.intake = _new_intake(video.receiver)
            else:
                seams.take_encoded(transceiver.receiver, _ignore)  # sound, and what a viewer sends
        if self.purpose is not Purpose.PUBLISH:
            self.outbound = Outbound()
            self._sender = self._connection.addTrack(self.outbound)
            seams.on_key_frame_request(self._sender, self.outbound.request_key_frame)

    def send_by(self, packetizer: Packetizer) -> None:
        """Send the packets of the outbound track by this packetizer."""
        assert self._sender is not None
        seams.pack_with(self._sender, packetizer)

    async def trickle(self, fragment: Fragment) -> None:
        """Add further candidates of the peer: the usable ones, until `TAKEN_MAX` are taken.

        Raises:
            OfferError: there are too many, or they belong to an ICE restart.
        """
        if fragment.username_fragment not in (None, self._username_fragment):
            raise OfferError(422, "ICE restarts are not supported: send a new offer by POST")
        self._offered += len(fragment.candidates)
        if self._offered > CANDIDATES_MAX:
            raise OfferError(422, f"the peer sent more than {CANDIDATES_MAX} candidates: send fewer")
        for mid, candidate in fragment.candidates:
            known = self._connection.getTransceivers()[0].receiver.transport.transport.getRemoteCandidates()
            if len(known) < TAKEN_MAX and candidate.is_usable(on_loopback=self._on_loopback):
                taken = candidate_from_sdp(candidate.text.partition(":")[2])
                taken.sdpMid, taken.sdpMLineIndex = (mid, None) if mid else (None, 0)
                await self._connection.addIceCandidate(taken)

    def _on_state(self) -> None:
        if self._connection.connectionState == "connected":
            self._connected.set()

    async def arrived(self) -> None:
        """Wait until the peer has connected and, where it is to have one, has opened the control channel.

        Raises:
            Gone: it opened none for `CONNECT_S`. One that never connects is found by `watch`.
        """
        await self._connected.wait()
        if self.purpose is Purpose.DUPLEX:
            try:
                async with asyncio.timeout(CONNECT_S):
                    await self.control.opened()
            except TimeoutError:
                raise Gone("it opened no control channel") from None

    async def watch(self) -> None:
        """Wait until the other side is gone.

        Raises:
            Gone: always.
        """
        begun_s = heard_s = time.monotonic()
        received, was_connected = 0, False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now_s, state = time.monotonic(), self._connection.connectionState
            was_connected = was_connected or state == "connected"
            if state == "failed":
                if (newly := await self._packets_received()) != received:
                    received, heard_s, was_connected = newly, now_s, True
                if now_s - heard_s < FAILED_S:
                    continue
            if state in ("failed", "closed"):
                raise Gone(f"the connection is {state}")
            if state == "connected":
                heard_s = now_s
            elif not was_connected and now_s - begun_s > CONNECT_S:
                log.info("a peer never connected; across NATs --ice-server may help")
                raise Gone("it never connected")

    async def _packets_received(self) -> int:
        report = await self._connection.getStats()
        return sum(stats.packetsReceived for stats in report.values() if isinstance(stats, RTCTransportStats))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


def _new_intake(receiver: RTCRtpReceiver) -> Intake:
    def take(codec: str, data: bytes, timestamp: int) -> None:
        intake.put(EncodedFrame(codec, data, timestamp))

    seams.release_on_marker(receiver)
    intake = Intake(seams.take_encoded(receiver, take))
    return intake


def _ignore(codec: str, data: bytes, timestamp: int) -> None:
    """Drop a frame that nobody wants."""
