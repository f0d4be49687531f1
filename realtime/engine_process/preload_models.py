"""As `preload`, for engines with a model: imports take more than half of the time that one needs to start (3.9 of 8.8
CPU seconds with the embedded model).

Must not touch CUDA: once a driver is initialised, no process that is forked can use it. Nor may it import what starts
threads, as OpenVINO does.
"""

from __future__ import annotations

import os

# Whoever asks at import whether there is CUDA is answered by NVML, without the driver. Source: PyTorch's docs, CUDA
# environment variables.
NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"
_before = os.environ.get(NVML)
os.environ[NVML] = "1"

from ..engine import diffusion  # noqa: E402
from ..engine.models import load as models  # noqa: E402
from ..engine.rungs import registry  # noqa: E402
from . import preload  # noqa: E402

if _before is None:
    del os.environ[NVML]
else:
    os.environ[NVML] = _before

__all__ = ["diffusion", "models", "preload", "registry"]
