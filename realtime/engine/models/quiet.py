"""Drops known harmless messages of diffusers and transformers from the log; all others pass.

Must not import either library: it is used around their import too.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager

_HARMLESS = {
    # Image processors are imported by diffusers' loaders and used by nothing here.
    "transformers.utils.import_utils": ("requires torchvision (not installed)",),
    # Every AutoencoderTiny carries this field.
    "diffusers.configuration_utils": ("were passed to AutoencoderTiny, but are not expected",),
    "diffusers.pipelines.pipeline_utils": ("Expected types for vae", "Expected types for unet"),
    # Logged even where there are no such modules.
    "diffusers.models.modeling_utils": ("should be kept in float32: []",),
}
"""By logger: parts of the messages that are dropped."""


class _Harmless(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not any(text in record.getMessage() for text in _HARMLESS[record.name])


@contextmanager
def quiet() -> Generator[None]:
    """Drop the harmless messages, and hide transformers' progress bars, while the block runs."""
    harmless = _Harmless()
    for name in _HARMLESS:
        logging.getLogger(name).addFilter(harmless)
    library = sys.modules.get("transformers")
    bars = library.utils.logging if library else None
    had_bars = bars is not None and bars.is_progress_bar_enabled()
    if bars and had_bars:
        bars.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*(steps_offset|clip_sample).*", category=FutureWarning)
            yield
    finally:
        if bars and had_bars:
            bars.enable_progress_bar()
        for name in _HARMLESS:
            logging.getLogger(name).removeFilter(harmless)
