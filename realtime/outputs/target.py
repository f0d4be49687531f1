"""Where pictures go: what OUTPUT and `--output` may name, without what is secret in it where it is shown.

Pure. Must not know how anything is sent.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import ConfigError

MUXERS = {"rtmp": "flv", "rtmps": "flv", "srt": "mpegts", "udp": "mpegts", "tcp": "mpegts"}
"""By the scheme of an address. What is not here is not opened: `file:`, `concat:` or `tee:` would write elsewhere."""
FILE_MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mkv": "matroska"}
"""By a file's suffix."""
CAMERA = "camera"
SHARED_NAME = "realtime"
"""By which others find what is shared with them, where no name is given."""
PACKET_BYTES = 1316
"""Seven packets of MPEG-TS, which is what fits into a datagram on any network."""


class OutputKind(StrEnum):
    """What an output is."""

    FILE = "file"
    CAMERA = "camera"
    SPOUT = "spout"
    SYPHON = "syphon"
    NDI = "ndi"
    URL = "url"

    @property
    def is_encoded(self) -> bool:
        """Whether H.264 goes there; else pictures do, as they are."""
        return self in (OutputKind.FILE, OutputKind.URL)


_SHARED = {OutputKind.SPOUT: "Spout", OutputKind.SYPHON: "Syphon", OutputKind.NDI: "NDI"}
_SHARED_OR_CAMERA = (CAMERA, *_SHARED)


@dataclass(frozen=True, slots=True)
class OutputTarget:
    """Where pictures go.

    Attributes:
        kind: what it is.
        address: the file, the camera's device (empty for any), the name that others find it by, or the URL, with its
            secrets.
        muxer: FFmpeg's name of the container; empty where nothing is encoded.
        shown: the address for people and logs: of a URL the scheme and the host, as all behind it may be a key.
    """

    kind: OutputKind
    address: str = field(repr=False)
    muxer: str
    shown: str

    @property
    def is_live(self) -> bool:
        """Whether it wants a picture at every moment; of a file an error is the end."""
        return self.kind is not OutputKind.FILE


def is_live_output(text: str) -> bool:
    """Whether a text names a virtual camera, a way to other programs or an address, and not a file."""
    return text.partition(":")[0] in _SHARED_OR_CAMERA or "://" in text


def is_live_input(text: str) -> bool:
    """Whether a text names a camera, a stream or a pipe, and not a file; see `media.opening`."""
    is_url = "://" in text and urlsplit(text).scheme.lower() != "file"
    return text == CAMERA or text.startswith((f"{CAMERA}:", "/dev/video")) or is_url or Path(text).is_fifo()


def target_of(text: str, named: str, platform: str = sys.platform) -> OutputTarget:
    """Read `camera[:DEVICE]`, `spout[:NAME]`, `syphon[:NAME]`, `ndi[:NAME]`, a URL or a file.

    Args:
        named: what the user calls it, as errors say it.

    Raises:
        ConfigError: it is none of them. Without what may be secret.
    """
    kind, _, device = text.partition(":")
    if "://" not in text and kind in _SHARED:
        name = device or SHARED_NAME
        return OutputTarget(OutputKind(kind), name, "", f"{_SHARED[OutputKind(kind)]} {name}")
    if "://" not in text and kind == CAMERA:
        if platform == "linux" and device.isdecimal():
            device = f"/dev/video{device}"
        return OutputTarget(OutputKind.CAMERA, device, "", f"virtual camera {device}".rstrip())
    if "://" in text:
        return _url(text, named)
    file = Path(text).expanduser()
    muxer = FILE_MUXERS.get(file.suffix.lower())
    if muxer is None:
        raise ConfigError(f"{named} {file}: run writes MP4 and MKV: end its name in .mp4 or .mkv")
    return OutputTarget(OutputKind.FILE, str(file), muxer, str(file))


def _url(text: str, named: str) -> OutputTarget:
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{named}: that is no URL: write it as rtmp://HOST/APP/KEY") from None
    muxer = MUXERS.get(scheme)
    if muxer is None:
        raise ConfigError(f"{named} {scheme[:16]}://…: pictures go to rtmp, rtmps, srt, udp and tcp: take one of these")
    if not host or (port is None and muxer == "mpegts"):
        raise ConfigError(f"{named} {scheme}://…: it lacks a host or a port: write {scheme}://HOST:PORT")
    host = f"[{host}]" if ":" in host else host
    rest = "/…" if parts.path.strip("/") or parts.query else ""
    shown = f"{scheme}://{host}{f':{port}' if port is not None else ''}{rest}"
    address = text if scheme not in ("udp", "srt") or "pkt_size=" in parts.query else _with_packets(text, parts.query)
    return OutputTarget(OutputKind.URL, address, muxer, shown)


def _with_packets(text: str, query: str) -> str:
    return f"{text}{'&' if query else '?'}pkt_size={PACKET_BYTES}"
