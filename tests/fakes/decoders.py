"""Decoders for processes of their own, which fail as a picture says: made by name, so functions of a module."""

from __future__ import annotations

import ctypes
import os
import signal
import tempfile
import time
from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from realtime.decoder_process.child import Serve
from realtime.decoder_process.pictures import PictureAsk, decode_picture
from realtime.decoder_process.room import Room, Shape
from realtime.frame import Format, Frame


def a_png(fault: str = "", level: int = 90, side: int = 64) -> bytes:
    """A grey PNG that says what is to go wrong."""
    told = PngInfo()
    told.add_text("fault", f"fault:{fault};")
    file = BytesIO()
    Image.new("RGB", (side, side), (level, level, level)).save(file, "PNG", pnginfo=told)
    return file.getvalue()


def a_png_frame(fault: str = "", seq: int = 1) -> Frame:
    return Frame(seq, Format.PNG, a_png(fault), 0, 0)


def make_faulty() -> Serve:
    return _decode


def _decode(ask: PictureAsk, room: Room) -> tuple[Shape, ...]:
    _, _, rest = room.read(ask.length).partition(b"fault:")
    match rest.partition(b";")[0]:
        case b"abort":
            os.abort()
        case b"stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case b"spin":
            while True:
                pass
        case b"write":
            with tempfile.TemporaryFile(buffering=0) as file:
                file.write(b"more than nothing")
        case b"slow":
            time.sleep(0.3)
        case b"memory":
            bytearray(2**36)
    return decode_picture(ask, room)


def make_idle() -> Serve:
    return _rest


def _rest(ask: str, room: Room) -> str:
    """Rests as it is told: for ever, or with Python's lock held."""
    match ask:
        case "rest":
            time.sleep(3600)
        case "hold":
            ctypes.PyDLL(None).sleep(3600)
        case _:
            pass
    return ask
