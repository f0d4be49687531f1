"""A row's picture never depends on its neighbours' params, whatever they are: in eager mode, replayed, on OpenVINO."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch

from realtime.config import Accelerate
from realtime.control import INPUT, Hint, HintKey
from realtime.engine import Guidance, rows
from realtime.engine.backend import Backend, EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.load import Model
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import GraphBackend
from realtime.engine.rungs.registry import start
from realtime.engine.sampler import Prediction, Sampler
from realtime.frame import Job
from realtime.media.fit import fit
from realtime.params import GuidanceMode, Matte, Params
from tests.engine.tiny_adapters import SIDE, make_adapter
from tests.engine.tiny_models import make_job, make_model, make_params, make_picture
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i

pytestmark = pytest.mark.slow

MIXES, MAX_ROWS = 200, 4
SEEN = {f"{n}" * 32: make_picture(n, SIDE, SIDE) for n in range(4)}
POOL = 48
"""Params of which the mixes are made: so many, as each is run alone too."""


@cache
def model() -> Model:
    # It takes the source, is guided, and predicts v: a random network's epsilon makes rounding twice as large.
    plain = make_model(
        sampler=Sampler.EULER_A,
        guidance=Guidance.CFG,
        prediction=Prediction.V_PREDICTION,
        concat_source=True,
        is_shared=True,
    )
    nets = (
        a_net(make_controlnet(seed=1), "edges"),
        a_net(make_controlnet(seed=2), "depth"),
        a_net(make_t2i(), "colours"),
    )
    with TemporaryDirectory() as folder:
        return replace(plain, ip_adapter=make_adapter(Path(folder), plain.unet, "sd"), nets=nets)


def eager() -> Backend:
    return EagerBackend(model())


def replayed() -> Backend:
    # Latents are looked at between the regions: mixes of whole frames are test_frame_graph's.
    return GraphBackend(EagerBackend(model()), Rerun(), MAX_ROWS, model().device, frame_graphs=False)


def openvino() -> Backend:
    pytest.importorskip("openvino")
    in_float32 = replace(model(), exact=True)
    return start(Accelerate.OPENVINO, in_float32, lambda stage, percent: None).backend


def some_params(chance: random.Random) -> Params:
    """Any of what a row may be asked for at one size; some sizes differ too."""
    return make_params(
        prompt=chance.choice(["ink", "oil", "snow BREAK ice"]),
        negative_prompt=chance.choice(["", "rain"]),
        negative_scale=chance.choice([1.0, 1.0, 1.0, 1.5, 4.0, 10.0]),
        references=chance.choice([[], [], some_references(chance)]),
        control=chance.choice([[], [], some_control(chance)]),
        strength=chance.choice([0.0, *(round(chance.uniform(0.1, 1), 2) for _ in range(9))]),
        amount=chance.choice([0.0, 0.5, 1.0, 1.0, 1.3, 2.0]),
        num_inference_steps=chance.choice([1, 2, 3]),
        guidance_scale=chance.choice([1.0, 1.5, 2.0]),
        guidance=chance.choice(list(GuidanceMode)),
        seed=chance.randrange(3),
        height=chance.choice([64, 64, 64, 72]),
        matte=chance.choice([Matte.OFF, Matte.OFF, Matte.PERSON, Matte.BACKGROUND]),
    )


def some_references(chance: random.Random) -> list[dict[str, Any]]:
    names = chance.sample(list(SEEN), chance.randint(1, 3))
    return [{"picture": name, "weight": chance.choice([0.0, 0.3, 0.6, 1.4])} for name in names]


def some_control(chance: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "net": net,
            "weight": chance.choice([0.0, 0.4, 1.0]),
            "start": chance.choice([0.0, 0.0, 0.5]),
            "end": chance.choice([1.0, 1.0, 0.6]),
            "source": chance.choice([INPUT, *SEEN]),
        }
        for net in chance.sample(["edges", "depth", "colours"], chance.randint(1, 3))
    ]


def some_job(params: Params, number: int) -> Job:
    hints = {HintKey(Hint.PICTURE, name): fit(one, params.width, params.height) for name, one in SEEN.items()}
    return replace(make_job(params, number), references=SEEN, hints=hints)


Left = dict[tuple[int, str], torch.Tensor]
"""The latents and masks of the jobs that left, by number and which of the two it is."""


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Left:
    found: Left = {}
    decode, find_people = rows.decode_latents, rows.find_people

    def recorded_decode(group: Any, backend: Backend, **options: Any) -> Any:
        found.update({(row.job.frame.seq, "latents"): row.x.clone() for row in group})
        return decode(group, backend, **options)

    def recorded_find(group: Any, backend: Backend) -> None:
        find_people(group, backend)
        found.update({(one.job.frame.seq, "mask"): one.mask.clone() for one in group})

    monkeypatch.setattr(rows, "decode_latents", recorded_decode)
    monkeypatch.setattr(rows, "find_people", recorded_find)
    return found


def mixes(pool: list[Params], chance: random.Random) -> Iterator[list[list[Job]]]:
    """Each is a few jobs, by the tick that admits them; a job's picture and number are those of its params."""
    for _ in range(MIXES):
        numbers = chance.sample(range(POOL), chance.randint(2, MAX_ROWS))
        jobs = [some_job(pool[number], number) for number in numbers]
        first = chance.randint(1, len(jobs))
        yield [jobs[:first], jobs[first:]]


@pytest.mark.parametrize("make_backend", [eager, replayed, openvino])
def test_picture_is_what_it_is_alone_in_200_random_mixes(
    make_backend: Callable[[], Backend],
    left: Left,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REALTIME_CACHE", str(tmp_path))
    chance = random.Random(14)
    pool = [some_params(chance) for _ in range(POOL)]
    engine = DiffusionEngine(model(), make_backend(), max_rows=MAX_ROWS)

    def run(admitted: list[list[Job]]) -> Left:
        left.clear()
        for jobs in admitted:
            engine.tick(jobs)
        while engine.busy_rows:
            engine.tick([])
        return dict(left)

    alone: Left = {}
    for number, params in enumerate(pool):
        alone |= run([[some_job(params, number)]])

    latents = [tensor for (_, what), tensor in alone.items() if what == "latents"]
    masked = {number for number, what in alone if what == "mask"}
    assert len({one.sum().item() for one in latents}) == sum(params.strength > 0 for params in pool), "they differ"
    assert masked == {number for number, params in enumerate(pool) if params.matte.finds_people}
    assert any(pool[number].strength == 0 for number in masked), "frames that pass through have masks too"

    for admitted in mixes(pool, chance):
        numbers = {job.frame.seq for jobs in admitted for job in jobs}
        mixed = run(admitted)
        assert mixed.keys() == {key for key in alone if key[0] in numbers}
        for (number, what), tensor in mixed.items():
            mix = [job.params for jobs in admitted for job in jobs]
            # Batches of other sizes add up in another order; masks are rounded to one of 256.
            torch.testing.assert_close(
                tensor,
                alone[number, what],
                atol=1 if what == "mask" else 1e-4,
                rtol=0 if what == "mask" else 1e-4,
                msg=lambda text, n=number, w=what, m=mix: f"{w} of {n} in {m}: {text}",
            )
