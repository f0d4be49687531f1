"""Where the stages keep their files: one work folder outside git, everything below it may be deleted.

Must not know what any stage does. The folder is `.cache/train_tiny`, or what TRAIN_TINY_WORK names.
"""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("TRAIN_TINY_WORK", REPOSITORY / ".cache" / "train_tiny"))
RAW = WORK / "raw"
SHARDS = WORK / "shards"
CHECKPOINTS = WORK / "checkpoints"
LOGS = WORK / "logs"
SHEETS = WORK / "sheets"
SHIPPED = REPOSITORY / "realtime" / "engine" / "models" / "tiny"
