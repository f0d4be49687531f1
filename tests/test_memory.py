"""What is set once the engine has been loaded."""

from __future__ import annotations

import ctypes
import gc
import sys
import weakref
from collections.abc import Iterator
from unittest import mock

import pytest

from realtime.memory import ARENAS, M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, MMAP_BYTES, TRIM_BYTES, settle


@pytest.fixture
def mallopt(monkeypatch: pytest.MonkeyPatch) -> Iterator[mock.Mock]:
    monkeypatch.setattr(sys, "platform", "linux")
    library = mock.Mock()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    yield library.mallopt
    gc.unfreeze()


def test_large_pictures_are_given_back_and_heaps_few_where_a_model_calculates_elsewhere(mallopt: mock.Mock) -> None:
    settle("cuda (NVIDIA H100)")

    assert mallopt.mock_calls == [
        mock.call(M_MMAP_THRESHOLD, MMAP_BYTES),
        mock.call(M_TRIM_THRESHOLD, TRIM_BYTES),
        mock.call(M_ARENA_MAX, ARENAS),
    ]


@pytest.mark.parametrize("device", ["cpu", "cpu (AMD EPYC)"])
def test_memory_of_a_model_on_the_cpu_is_left_to_malloc(mallopt: mock.Mock, device: str) -> None:
    settle(device)

    assert not mallopt.called


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_settings_are_taken() -> None:
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        pytest.skip("this C library has none")

    settle("echo")

    gc.unfreeze()
    assert library.mallopt(M_TRIM_THRESHOLD, TRIM_BYTES) == 1
    assert library.mallopt(M_ARENA_MAX, ARENAS) == 1


def test_what_is_under_way_when_a_later_engine_is_loaded_is_collected_when_it_is_garbage(mallopt: mock.Mock) -> None:
    class Request:
        """One that refers to itself, as errors with their tracebacks do."""

        def __init__(self) -> None:
            self.itself = self

    gc.unfreeze()
    settle("cuda (NVIDIA H100)")
    under_way = Request()
    settle("cuda (NVIDIA H100)")
    left = weakref.ref(under_way)

    del under_way
    gc.collect()

    assert left() is None
