"""The whole recipe in one command, for one short slot on a GPU or a long one on a CPU.

    python scripts/train_tiny/all.py --minutes 25 [--init realtime/engine/models/tiny] [--batch 512] [--processes 2]

Shares of the budget: autoencoder 25 %, text 2 %, UNet 60 %, the decoder's last stage 13 %; building data, encoding and
export come on top (4 minutes on 16 cores). Every stage resumes from its own checkpoint, so running this again after an
interruption goes on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from paths import PAIRS

HERE = Path(__file__).parent


def stage(name: str, *options: object, processes: int = 1) -> None:
    """Run one stage as a process of its own (or several that average their gradients), and stop if it fails."""
    command = [sys.executable, str(HERE / f"{name}.py"), *(str(option) for option in options)]
    if processes > 1:
        command[1:1] = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
        command += ["--threads", "1"]
    print("+", " ".join(command[1:]), flush=True)
    subprocess.run(command, check=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True, help="training minutes in all")
    parser.add_argument(
        "--init", type=Path, help="go on from this model folder; its tokenizer is kept, its latents stay near"
    )
    parser.add_argument(
        "--batch", type=int, default=48, help="16x16 latent crops a UNet step: 48 on a CPU, 512 or more on a GPU"
    )
    parser.add_argument("--processes", type=int, default=1, help="on a CPU: one for each core")
    parser.add_argument("--evaluate", action="store_true")
    args = parser.parse_args()
    if not (PAIRS / "labels.json").exists():
        stage("data", "--processes", os.cpu_count() or 2)
    first, batch, team = ("--init", args.init) if args.init else (), ("--batch", args.batch), args.processes
    minutes = args.minutes
    stage("autoencoder", *first, "--minutes", minutes * 0.25, "--batch", max(8, args.batch // 4), processes=team)
    stage("text", *first, "--minutes", 0 if args.init else minutes * 0.02)
    stage("unet", *first, "--minutes", minutes * 0.6, *batch, processes=team)
    stage("finish", "--minutes", minutes * 0.13, "--batch", max(8, args.batch // 8))
    stage("robust")
    stage("export")
    stage("sheets")
    if args.evaluate:
        stage("evaluate")


if __name__ == "__main__":
    main()
