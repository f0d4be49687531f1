"""Runs one stage of the recipe: `python scripts/train_tiny STAGE [options]`; without one, lists them.

Must not know what a stage does.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

STAGES = {
    "pictures": "source pictures out of packages, and drawn people",
    "data": "training examples by the teacher",
    "teachers": "contact sheets of the teacher's styles",
    "autoencoder": "the encoder and the decoder",
    "latents": "the UNet and the picture encoder, in latent space",
    "finish": "UNet and decoder together, in picture space, with an adversary",
    "words": "the text encoder: what is typed to style vectors",
    "evaluate": "measures against the teacher",
    "sheets": "contact sheets of the model",
    "contest": "two models side by side",
    "samples": "pictures to take a style from, which ship",
    "export": "the model folder that ships",
    "slot": "all of it in ten minutes of a GPU machine without network",
    "background": "start, stop, watch the stages in idle time",
    "status": "how far every stage is",
}


def main() -> int:
    """Dispatch to a stage's `main`."""
    if len(sys.argv) < 2 or sys.argv[1] not in STAGES:
        print(__doc__)
        print("\n".join(f"  {name:12} {what}" for name, what in STAGES.items()))
        return 2
    sys.path[:0] = [str(Path(__file__).resolve().parent)]
    importlib.import_module(sys.argv[1]).main(sys.argv[2:])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
