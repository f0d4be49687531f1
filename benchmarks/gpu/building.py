"""Builds the packages of one batch, beside what is measured, and says how long each stage took.

Must not know what is measured with them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .plan import BUILDS
from .working import Found, Setting, part_file

if TYPE_CHECKING:
    from realtime.engine.rungs.specialise import Signature

REGIONS = 3
"""A frame passes as many: packages of a batch are whole when there are so many."""
STAGES_TOLD = 12
QUICK: dict[str, Any] = {"aot_inductor.precompile_headers": False, "aot_inductor.compile_wrapper_opt_level": "O0"}
"""Of a dry run: optimising what calls the kernels takes longer than it saves."""


def build(setting: Setting, found: Found) -> None:
    """Build the packages for the batch in the part's name, one after the other, into the cache that all share."""
    from realtime.engine.rungs import packages

    batch = batch_of(setting.name, setting.dry)
    found |= {"batch": batch, "packages": {}}
    if setting.dry and batch > 1:
        found["note"] = "left out of a dry run: it is built as that for a batch of 1 is"
        return
    os.nice(10)
    be_quick(setting)
    begin_s = time.monotonic()
    model, signatures = _signatures(setting, batch)
    found["load_s"] = round(time.monotonic() - begin_s, 1)
    setting.keep(found)
    for signature in signatures:
        with stages() as took_s:
            begin_s = time.monotonic()
            for _ in packages.build(model, [signature.wire()]):
                pass
        told = {"seconds": round(time.monotonic() - begin_s, 1), "stages_s": dict(took_s)}
        found["packages"][signature.call.kind] = told
        setting.keep(found)


def batch_of(part: str, dry: bool) -> int:
    """The batch that a part builds for; in a dry run the largest is 2."""
    batch = int(part.rpartition("_")[2])
    return min(2, batch) if dry else batch


def be_quick(setting: Setting) -> None:
    """In a dry run, compile without optimising. Packages are found only by who has the same options."""
    from realtime.engine.rungs import aoti

    if setting.dry:
        device = setting.machine().device.type
        aoti.OPTIONS[device] = {**aoti.OPTIONS[device], **QUICK}


def built_batches(setting: Setting) -> list[int]:
    """The batches whose packages are whole."""
    built: list[int] = []
    for name in BUILDS:
        file = part_file(setting.output, name)
        found: Found = json.loads(file.read_text()) if file.exists() else {}
        if len(found.get("packages", {})) == REGIONS:
            built.append(int(found["batch"]))
    return sorted(built)


def _signatures(setting: Setting, batch: int) -> tuple[Any, list[Signature]]:
    """The loaded model, and the calls of a batch of frames of the bench's size, the longest to build first."""
    from realtime.engine.diffusion import DiffusionEngine
    from realtime.engine.rungs.compile import CompiledBackend
    from realtime.frame import Result

    from .engines import TappedEngine, model_of

    ours = TappedEngine(setting.model("sd-turbo"), "off", setting.machine(), batch)
    model = model_of(ours)
    backend = CompiledBackend(model, "aoti", "aoti")
    engine = DiffusionEngine(model, backend, max_rows=batch)
    outcomes = engine.tick(ours.jobs(batch, 1)).collect()
    assert all(isinstance(outcome, Result) for outcome in outcomes)
    signatures = [one for one in backend.compiled.demand.so_far() if one.call.batch == batch]
    return model, sorted(signatures, key=lambda one: one.call.kind != "step")


@contextmanager
def stages() -> Generator[Mapping[str, float]]:
    """Seconds that the compiler's stages take meanwhile, the longest first, as torch counts them; and exporting."""
    import torch
    from torch._dynamo import utils

    took_s: dict[str, float] = {}
    before = {name: sum(times) for name, times in utils.compilation_time_metrics.items()}
    export = torch.export.export

    def timed(*args: Any, **options: Any) -> Any:
        begin_s = time.monotonic()
        try:
            return export(*args, **options)
        finally:
            took_s["export"] = round(took_s.get("export", 0.0) + time.monotonic() - begin_s, 1)

    torch.export.export = timed
    try:
        yield took_s
    finally:
        torch.export.export = export
        spent = {name: sum(times) - before.get(name, 0.0) for name, times in utils.compilation_time_metrics.items()}
        longest = sorted(spent, key=lambda name: -spent[name])[:STAGES_TOLD]
        took_s |= {name: round(spent[name], 1) for name in longest if spent[name] >= 0.05}
