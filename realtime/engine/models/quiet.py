"""Messages of diffusers and transformers that mean nothing here, kept out of the log by name; all others go through.

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
    # Said even where there are no such modules.
    "diffusers.models.modeling_utils": ("should be kept in float32: []",),
    # A LoRA for the UNet alone is ordinary; what fits nowhere is refused in `lora`.
    "diffusers.loaders.lora_base": ("No LoRA keys associated to",),
    # … and what fits not at all, in hundreds of lines there, in one line here.
    "diffusers.loaders.peft": ("No LoRA keys associated to", "was unsuccessful with"),
    "diffusers.utils.peft_utils": ("led to unexpected keys",),
}
"""Logger and a part of the message."""


class _Harmless(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not any(text in record.getMessage() for text in _HARMLESS[record.name])


@contextmanager
def quiet() -> Generator[None]:
    """Drop the known harmless messages, and the progress bars that would tear the terminal's lines, while inside."""
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
