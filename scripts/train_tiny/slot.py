"""Everything in one slot of a machine with a GPU and many cores, but no network.

    python scripts/train_tiny slot --pack POOL.zip                  # here, once: the pictures, small enough to carry
    python scripts/train_tiny slot --pool POOL.zip --out FOLDER     # there: about 10 minutes on one H100 and 16 cores
    python scripts/train_tiny slot --pool POOL.zip --out FOLDER --init FOLDER/painter.pt --plan "latents:4 finish:4"
    python scripts/train_tiny slot --collect FOLDER                 # anywhere: what the stages have by now
    python scripts/train_tiny slot --begin FOLDER/painter.pt        # anywhere: the stages go on from there

Must not know how a stage works. People and shards are drawn by all cores while the GPU trains on the first of them.
What comes back are the moving averages in half precision, `painter.pt` and `words.pt`, which `evaluate` and `sheets`
take as `--checkpoint`, and a later slot as `--init`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import autoencoder
import cv2
import finish
import latents
import numpy as np
import torch
import words
from paths import LOGS, RAW, SHARDS
from pictures import HUNDRED, POOL, draw_hundred, entries
from training import load, write

HERE = Path(__file__).resolve().parent
PACKED_SIDE, QUALITY = 448, 90
DICTIONARY = "american-english"
PLAN = "autoencoder:1.2 latents:4.2 finish:2.6 words:0.4"
#: Larger batches than a CPU's, and rates to go with them.
OPTIONS = {
    "autoencoder": ["--batch", "128", "--rate", "3e-3"],
    "latents": ["--batch", "256", "--rate", "1.2e-3"],
    "finish": ["--batch", "96", "--rate", "5e-4"],
    "words": [],
}
FIRST_SHARDS = 12


def pack(path: Path) -> None:
    """Write the real pictures of the pool as one file of about 20 MB, with their list and the dictionary."""
    words.dictionary()
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(POOL / "sources.csv", "sources.csv")
        archive.write(RAW / "wamerican/usr/share/dict/american-english", DICTIONARY)
        for entry in entries():
            whole = np.load(POOL / "real" / entry.file)
            scale = min(1.0, PACKED_SIDE / min(whole.shape[:2]))
            size = (round(whole.shape[1] * scale), round(whole.shape[0] * scale))
            small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
            coded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
            archive.writestr(f"real/{Path(entry.file).stem}.jpg", coded.tobytes())
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def unpack(path: Path) -> None:
    """Lay the pool out as the stage `pictures` would have."""
    (POOL / "real").mkdir(parents=True, exist_ok=True)
    (POOL / "people").mkdir(parents=True, exist_ok=True)
    listing = RAW / "wamerican/usr/share/dict"
    listing.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path) as archive:
        (POOL / "sources.csv").write_bytes(archive.read("sources.csv"))
        (listing / DICTIONARY).write_bytes(archive.read(DICTIONARY))
        for name in archive.namelist():
            if name.startswith("real/"):
                picture = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR)
                np.save(POOL / "real" / f"{Path(name).stem}.npy", np.ascontiguousarray(picture[..., ::-1]))


def begin_from(path: Path) -> None:
    """Make an earlier run's averages the checkpoints that the stages go on from. `finish` begins from theirs."""
    state = load(path)
    shares = {autoencoder.PATH: ("encoder", "decoder"), latents.PATH: ("unet", "table", "picture")}
    for target, names in shares.items():
        whole = {name: {key: value.float() for key, value in state[name].items()} for name in names}
        live = {f"{name}.{key}": value for name in names for key, value in whole[name].items()}
        write(target, {**whole, "live": live, "step": 0, "spent_s": 0.0})
    finish.PATH.unlink(missing_ok=True)


def collect(folder: Path) -> None:
    """Write the averages of the furthest stages."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = load(autoencoder.PATH)
    last = load(finish.PATH if finish.PATH.exists() else latents.PATH)
    networks = {name: last.get(name, shapes.get(name)) for name in ("decoder", "unet", "table", "picture")}
    networks["encoder"] = shapes["encoder"]
    write_halves(folder / "painter.pt", networks, last)
    if words.PATH.exists():
        said = load(words.PATH)
        write_halves(folder / "words.pt", {"text_encoder": said["text_encoder"]}, said)


def write_halves(path: Path, networks: dict[str, dict[str, torch.Tensor]], run: dict[str, Any]) -> None:
    """Write networks in half precision, with the steps and seconds of the run that they are from."""
    halves = {
        name: {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        for name, state in networks.items()
    }
    write(path, {**halves, "step": run["step"], "spent_s": run["spent_s"]})


def run(pool: Path, plan: str, people: int, shards: int, processes: int) -> None:
    """Draw, and train by plan; what the stages print goes to `logs` too."""
    LOGS.mkdir(parents=True, exist_ok=True)
    unpack(pool)
    with multiprocessing.get_context("spawn").Pool(processes) as workers:
        workers.map(draw_hundred, range(people // HUNDRED), chunksize=1)
    print(f"{people} people", flush=True)
    stage = [sys.executable, str(HERE)]
    split = ["--shards", str(shards), "--workers", str(processes)]
    makers = [subprocess.Popen([*stage, "data", *split, "--worker", str(k)]) for k in range(processes)]
    while len(list(SHARDS.glob("[0-9]*"))) < min(FIRST_SHARDS, shards):
        time.sleep(0.5)
    try:
        for name, minutes in (part.split(":") for part in plan.split()):
            print(f"--- {name}, {minutes} minutes", flush=True)
            with (LOGS / f"{name}.log").open("w") as log:
                command = [*stage, name, "--minutes", minutes, "--threads", "2", *OPTIONS[name]]
                subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT)
            print((LOGS / f"{name}.log").read_text("utf-8")[-300:], flush=True)
    finally:
        for maker in makers:
            maker.kill()


def main(arguments: list[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="slot", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pack", type=Path, help="write the pool to this file and end")
    parser.add_argument("--collect", type=Path, help="write what the stages have by now to this folder and end")
    parser.add_argument("--begin", type=Path, help="make these averages the checkpoints of all stages and end")
    parser.add_argument("--pool", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--init", type=Path, help="averages of an earlier slot")
    parser.add_argument("--plan", default=PLAN, help="stages and their minutes")
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--shards", type=int, default=192)
    parser.add_argument("--processes", type=int, default=15)
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    if args.pack:
        pack(args.pack)
        return
    if args.collect:
        collect(args.collect)
        return
    if args.begin:
        begin_from(args.begin)
        return
    if args.init:
        begin_from(args.init)
    try:
        run(args.pool, args.plan, args.people, args.shards, args.processes)
    finally:
        # A slot that ends early still brings home what it has.
        collect(args.out)
