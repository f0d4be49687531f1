"""An iterator that works ahead in a thread of its own: frames are decoded while others are restyled.

Must not know what it iterates over.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class _Ahead(Generic[T]):
    """What both threads share."""

    def __init__(self, items: Generator[T], most: int) -> None:
        self._items, self._most = items, most
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = self._ended = False
        self._error: BaseException | None = None

    def work(self) -> None:
        """Take items until there are no more, or nobody wants them."""
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or len(self._waiting) < self._most)
                    if self._closed:
                        return
                    self._waiting.append(item)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            self._items.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def taken(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    break
                item = self._waiting.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


@contextmanager
def ahead(items: Generator[T], most: int) -> Generator[Iterator[T]]:
    """The items of a generator, at most so many of them made before they are taken; what it raises comes in its turn.

    At the end of the block the generator is closed by the thread that ran it.
    """
    shared = _Ahead(items, most)
    thread = threading.Thread(target=shared.work, name="ahead", daemon=True)
    thread.start()
    try:
        yield shared.taken()
    finally:
        shared.close()
        thread.join()
