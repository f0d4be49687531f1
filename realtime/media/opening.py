"""How a source of video is opened: what `--input` may name, in the words that PyAV takes.

Must not know what is in a source, or open it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from ..errors import ConfigError

NETWORK = (
    "http,https,httpproxy,tcp,tls,crypto,udp,rtp,srtp,rtsp,rtsps,rtmp,rtmps,rtmpe,rtmpt,rtmpte,rtmpts,ffrtmphttp,"
    "ffrtmpcrypt,srt,rist,mmsh,mmst,ftp,gopher,gophers"
)
"""Protocols that a URL may lead to, itself and by a playlist or a redirect: no `file`, `concat`, `subfile`, `data`."""
CAMERA_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


class SourceKind(Enum):
    """What a source is."""

    CAMERA = auto()
    FILE = auto()
    PIPE = auto()
    URL = auto()


@dataclass(frozen=True, slots=True)
class Opening:
    """How a source is opened.

    Attributes:
        file: what PyAV opens.
        kind: what it is.
        format: the name of the input format; None lets PyAV look.
        options: of FFmpeg.
    """

    file: str
    kind: SourceKind = SourceKind.FILE
    format: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether its end is a failure; a file's is where it begins again."""
        return self.kind is not SourceKind.FILE


def opening_of(source: str, platform: str = sys.platform, *, named: str = "--input") -> Opening:
    """How to open `camera`, `camera:N`, a device, a URL, a pipe or a file, which may be in the home folder (`~`).

    Args:
        named: what the user calls the source, as errors say it.

    Raises:
        ConfigError: there is no such file, or it is none.
    """
    if source == "camera" or source.startswith(("camera:", "/dev/video")):
        number = source.partition(":")[2] or "0"
        device = source if source.startswith("/dev/") else f"/dev/video{number}" if platform == "linux" else number
        device = f"video={device}" if platform == "win32" else device
        return Opening(device, SourceKind.CAMERA, CAMERA_FORMATS.get(platform, "v4l2"), (("framerate", "30"),))
    scheme = urlsplit(source).scheme.lower()
    if "://" in source and len(scheme) > 1 and scheme != "file":
        # FFmpeg looks for the frame rate by waiting for 20 frames, 0.9 s of a camera; nobody here asks for it. It must
        # not be told `nobuffer`: that throws away what it read to know the stream, the first key frame among it.
        options = (("fpsprobesize", "0"), ("protocol_whitelist", NETWORK))
        if scheme in ("rtsp", "rtsps"):
            options += (("rtsp_transport", "tcp"),)  # UDP loses packets of key frames before anything is wrong
        return Opening(source, SourceKind.URL, None, options)
    path = Path(url2pathname(unquote(urlsplit(source).path)) if scheme == "file" else source).expanduser()
    if path.is_fifo():
        return Opening(str(path), SourceKind.PIPE, None, (("fpsprobesize", "0"),))
    if path.is_dir():
        raise ConfigError(f"{named} {source}: that is a folder; name a file in it")
    if not path.is_file():
        raise ConfigError(f"{named} {source}: there is no such file; a camera is camera:0, a URL has ://")
    if not os.access(path, os.R_OK):
        raise ConfigError(f"{named} {source}: this user may not read the file; change its permissions")
    return Opening(str(path))
