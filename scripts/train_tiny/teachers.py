"""Contact sheets of the teacher's styles on held-out photographs and drawn people, for looking at.

    python scripts/train_tiny teachers [--styles "oil painting,van gogh"] [--people 4]

Must not know networks. Output: `sheets/teacher-*.png`, and the CPU milliseconds of every style.
"""

from __future__ import annotations

import argparse
import time

import family
import heads
import heldout
import numpy as np
import styles
from chance import Chance
from evaluate import FIRST_PERSON
from sheets import Image, captioned, write

SEED = 7


def sources(people: int) -> dict[str, Image]:
    """Photographs, a face, and people that no training drew."""
    found = {"face": heldout.face()} | heldout.photographs()
    return found | {f"person {k}": heads.head(FIRST_PERSON + k)[0] for k in range(people)}


def main(arguments: list[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="teachers", description=__doc__)
    parser.add_argument("--styles", default=",".join(styles.STYLES))
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--manners", type=int, default=7, help="of the family of random styles")
    args = parser.parse_args(arguments)
    names, shown = args.styles.split(","), sources(args.people)
    for part in range(0, len(names), 8):
        rows = []
        for source in shown.values():
            row = [source]
            for name in names[part : part + 8]:
                started = time.process_time()
                made = styles.restyle(source, name, "", Chance.of(SEED, 256, 256))
                row.append(captioned(made, f"{name}, {(time.process_time() - started) * 1000:.0f} ms"))
            rows.append(row)
        write(f"teacher-{part // 8 + 1}", rows)
    palettes = [np.ascontiguousarray(picture) for picture in heldout.photographs().values()]
    rows = []
    for source in shown.values():
        made = [family.paint(source, Chance.of(k, 256, 256), family.manner(k, palettes)) for k in range(args.manners)]
        rows.append([source, *made])
    write("teacher-family", rows)
