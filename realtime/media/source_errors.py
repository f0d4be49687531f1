"""What is wrong with a source that can't be read, and what to do about it, in words.

Must not know how sources are read, or whether they are tried again.
"""

from __future__ import annotations

import errno
from urllib.parse import urlsplit

from av import error as av_errors
from av.error import FFmpegError

from ..errors import SourceError
from .opening import Opening, SourceKind
from .source import OPEN_TIMEOUT_S

NO_ANSWER = f"no answer in time (to connect {OPEN_TIMEOUT_S:.0f} s, less afterwards); check the address and the network"


def explained(error: Exception, opening: Opening) -> SourceError:
    """What went wrong with a source, without its address: that may hold a password."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, av_errors.InvalidDataError):
        text = "it holds nothing that this FFmpeg reads as video; is it whole, and a video?"
        return SourceError(text, is_final=opening.kind is SourceKind.FILE)
    if isinstance(error, av_errors.ProtocolNotFoundError):
        scheme = urlsplit(opening.file).scheme
        return SourceError(f"this FFmpeg doesn't read {scheme}://; rtsp, rtmp and http it does", is_final=True)
    if isinstance(error, ValueError) and not isinstance(error, FFmpegError):
        return SourceError("this FFmpeg reads no cameras on this system; give a file or a URL", is_final=True)
    return SourceError(_passing(error, opening))


def _passing(error: Exception, opening: Opening) -> str:
    """The words for what may be over by the next try."""
    is_camera = opening.kind is SourceKind.CAMERA
    match error:
        case FileNotFoundError():
            return f"there is no camera {opening.file}; plug it in" if is_camera else "the file is gone; put it back"
        case PermissionError():
            return (
                "this user may not open the camera; add it to the group video"
                if is_camera
                else "this user may not read it; change its permissions"
            )
        case ConnectionRefusedError():
            return "nothing listens there; check host and port, and that the other side runs"
        case av_errors.ExitError() | TimeoutError():
            return NO_ANSWER
        case av_errors.HTTPUnauthorizedError() | av_errors.HTTPForbiddenError():
            return "the other side wants another user or password: SCHEME://USER:PASSWORD@HOST/PATH"
        case av_errors.HTTPNotFoundError():
            return "the other side has nothing at that path (404); check it"
        case OSError(errno=errno.EBUSY):
            return "another program uses it; close that"
        case OSError(errno=errno.EIO):
            return "it can't be reached; check the host's name, the network or the cable"
        case _:
            why = getattr(error, "strerror", None) or str(error)
            return f"it can't be read ({why}); see whether another player can"
