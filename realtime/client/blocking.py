"""The stream for programs without an event loop: its methods wait, in a thread that runs one.

Must not know more of a stream than its methods.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from .connecting import connect
from .pictures import Picture, Pixels
from .stream import Stream


class BlockingStream:
    """A `Stream` whose methods wait: see there. Any thread.

    Attributes:
        stream: for its counters.
    """

    def __init__(self, portal: BlockingPortal, stream: Stream) -> None:
        self._portal = portal
        self.stream = stream

    @property
    def ready(self) -> dict[str, Any]:
        """See `Stream`."""
        return self.stream.ready

    @property
    def params(self) -> dict[str, Any]:
        """See `Stream.params`."""
        return self.stream.params

    def update(self, **patch: Any) -> dict[str, Any]:
        """See `Stream.update`."""
        return self._portal.call(lambda: self.stream.update(**patch))

    def glide(self, seconds: float, **patch: Any) -> dict[str, Any]:
        """See `Stream.glide`."""
        return self._portal.call(lambda: self.stream.glide(seconds, **patch))

    def bring(self, picture: bytes | Pixels) -> str:
        """See `Stream.bring`."""
        return self._portal.call(self.stream.bring, picture)

    def command(self, name: str) -> None:
        """See `Stream.command`."""
        self._portal.call(self.stream.command, name)

    def restyle(self, frame: bytes | Pixels) -> Picture:
        """See `Stream.restyle`."""
        return self._portal.call(self.stream.restyle, frame)

    def restyle_all(self, frames: Iterable[bytes | Pixels]) -> Iterator[Picture]:
        """See `Stream.restyle_all`."""
        pictures = self.stream.restyle_all(frames)
        try:
            while (picture := self._portal.call(anext, pictures, None)) is not None:
                yield picture
        finally:
            self._portal.call(pictures.aclose)


@contextmanager
def connect_blocking(url: str, **options: Any) -> Generator[BlockingStream]:
    """`connect` for programs without an event loop; takes the same options.

    Raises:
        ClientError: see `connect`.
    """
    opened: Callable[..., Any] = connect
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opened(url, **options)) as stream:
        yield BlockingStream(portal, stream)
