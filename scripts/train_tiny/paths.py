"""Where the stages keep their files: one work folder outside git, everything below it may be deleted."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WORK = REPOSITORY / ".cache" / "train_tiny"
RAW = WORK / "raw"
PAIRS = WORK / "pairs"
CHECKPOINTS = WORK / "checkpoints"
SHIPPED = REPOSITORY / "realtime" / "engine" / "models" / "tiny"
