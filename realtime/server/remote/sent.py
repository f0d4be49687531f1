"""Results that came encoded from a worker on another machine: their pixels are decoded when somebody asks for them.

Most never are: clients get the encoded picture as it came. Must not know sessions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from ...control import HintKey
from ...frame import Format, Job, Order, Result, Stamps
from ...media import codec

if TYPE_CHECKING:
    from ...pixels import Pixels

T = TypeVar("T")


class _Later(Generic[T]):
    """A value that is made when it is asked for, once. Any thread."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] | None = make
        self._made: T
        self._lock = threading.Lock()

    def get(self) -> T:
        with self._lock:
            if self._make is not None:
                self._made = self._make()
                self._make = None
            return self._made


class SentJob(Job):
    """A job whose picture is decoded when somebody asks for it: one whose viewers see the input."""

    __slots__ = ("_picture",)
    _picture: _Later[Pixels]

    @property
    def picture(self) -> Pixels:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `Job`."""
        return self._picture.get()

    @picture.setter
    def picture(self, picture: _Later[Pixels] | Pixels) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        later = picture if isinstance(picture, _Later) else _Later(lambda: picture)
        object.__setattr__(self, "_picture", later)


class SentResult(Result):
    """A result whose picture and key are decoded when somebody asks for them."""

    __slots__ = ("_key", "_picture")
    _picture: _Later[Pixels]
    _key: _Later[Pixels | None] | None

    @property
    def picture(self) -> Pixels:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `Result`."""
        return self._picture.get()

    @picture.setter
    def picture(self, picture: _Later[Pixels] | Pixels) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        later = picture if isinstance(picture, _Later) else _Later(lambda: picture)
        object.__setattr__(self, "_picture", later)

    @property
    def key(self) -> Pixels | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `Result`."""
        return None if self._key is None else self._key.get()

    @key.setter
    def key(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, key: _Later[Pixels | None] | Pixels | None
    ) -> None:
        later = key if isinstance(key, _Later) or key is None else _Later[Pixels | None](lambda: key)
        object.__setattr__(self, "_key", later)


def sent_result(
    order: Order,
    picture_format: Format,
    data: bytes,
    stamps: Stamps,
    *,
    has_key: bool,
    encode: bool,
    views: Mapping[HintKey, bytes] | None = None,
    score: float | None = None,
) -> Result:
    """The result of an order that was worked on elsewhere.

    Args:
        order: what was sent; its frame was decoded there.
        picture_format, data: the encoded picture.
        has_key: whether its opacity is in it.
        encode: whether its client takes encoded pictures.
        views: see `Result.hints`; JPEGs.
        score: see `Result`.
    """
    params, frame = order.params, order.frame
    own = _Later(lambda: codec.decode(frame.data, frame.format, params.width, params.height, _ANY_SIZE))
    job = SentJob(
        frame,
        params,
        order.session,
        order.admitted_ns,
        order.number,
        order.encode,
        order.references,
        order.hints_wanted,
        checks_input=order.checks_input,
        picture=own,  # pyright: ignore[reportArgumentType]
        opened_ns=stamps.decode,
    )
    both = _Later(lambda: codec.decode_encoded(data, picture_format, has_key=has_key))
    return SentResult(
        job,
        _Later(lambda: both.get()[0]),  # pyright: ignore[reportArgumentType]
        stamps,
        data if encode else b"",
        picture_format if encode else Format.NONE,
        key=_Later(lambda: both.get()[1]) if has_key else None,  # pyright: ignore[reportArgumentType]
        hints={key: codec.decode_encoded(view, Format.JPEG)[0] for key, view in (views or {}).items()},
        score=score,
    )


_ANY_SIZE = 2**40
"""The worker has decoded it already, within the server's limits."""
