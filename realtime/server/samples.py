"""Keeps the pictures that come with a model, for prompts to name from the start.

Must not know sessions, or where a model's files are.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..errors import FrameError
from ..media.pipeline import DecodingHere
from ..media.reference import opened_reference
from ..pixels import Pixels
from ..references import References

log = logging.getLogger(__name__)


@lru_cache(32)
def opened_sample(data: bytes, max_pixels: int) -> Pixels:
    """One of a model's own pictures. Opened once: all of them together take longer than the event loop may. Raises
    FrameError.
    """
    return opened_reference(data, max_pixels, DecodingHere(), "model")


def keep_samples(
    pictures: Sequence[tuple[str, bytes]], references: References, max_pixels: int
) -> list[dict[str, Any]]:
    """Keep a model's own pictures. One that can't be read is left out, which is logged.

    Args:
        pictures: names and contents, see `EngineInfo.pictures`.

    Returns:
        `{"name": …, "picture": id}` of each.
    """
    kept: list[dict[str, Any]] = []
    for name, data in pictures:
        try:
            reference = references.add(opened_sample(data, max_pixels))
        except FrameError as error:
            log.warning("the model's picture %r is left out: %s", name, error)
            continue
        references.own |= {reference}
        kept.append({"name": name, "picture": reference})
    return kept
