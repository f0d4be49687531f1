"""Frame checkers: scores are transformers' own; every picture that may be seen has one, by row; a checker that fails
lets nothing through.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import pipeline

from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.checker import Checker, OnnxChecker
from realtime.engine.regions import Call, Kind, Outputs
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import EAGER_CALLS, GraphBackend
from realtime.engine.work import CHECK_WORK
from realtime.frame import Job, Result
from tests.engine.tiny_checkers import SIDE, Brightness, BrightnessOnHost, a_checker, save_checker
from tests.engine.tiny_models import (
    RecordingBackend,
    make_engine,
    make_job,
    make_model,
    make_params,
    make_picture,
    picture_of,
    run,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checker(tmp_path_factory.mktemp("checker"))


def pixels_of(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def theirs(folder: Path, pictures: list[np.ndarray], label: str = "nsfw") -> list[float]:
    """What transformers' pipeline says."""
    classify: Any = pipeline("image-classification", model=str(folder))
    found = [classify(Image.fromarray(picture), top_k=None) for picture in pictures]
    return [next(one["score"] for one in scores if one["label"] == label) for scores in found]


def colour(red: int, green: int, blue: int, side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), (red, green, blue), np.uint8)


WHITE, GREY, DARK = colour(255, 255, 255), colour(128, 128, 128), colour(20, 20, 20)
RED, GREEN = colour(200, 20, 20), colour(20, 200, 20)


def watched(checker: Any) -> tuple[DiffusionEngine, list[int]]:
    """An engine with a checker, and the numbers of pictures in the calls of the check region."""
    calls: list[int] = []

    class Counting(RecordingBackend):
        def run(self, call: Call) -> Outputs:
            if call.kind is Kind.CHECK:
                calls.append(call.plain)
            return super().run(call)

    model = make_model(checker=checker)
    return DiffusionEngine(model, Counting(model)), calls


def as_checker(network: Brightness) -> Checker:
    """A `Checker` in name, as the engine tells by the class where it works."""
    checker = Checker.__new__(Checker)
    torch.nn.Module.__init__(checker)
    checker.forward = network.forward  # type: ignore[method-assign]
    return checker


def shown(picture: np.ndarray, seed: int = 0, *, checks_input: bool = False, **fields: Any) -> Job:
    """A job whose picture passes through."""
    job = make_job(make_params(**{"strength": 0.0, **fields}), seed, picture=picture)
    return replace(job, checks_input=checks_input)


def scores_of(outcomes: Any) -> list[float | None]:
    assert all(isinstance(outcome, Result) for outcome in outcomes), outcomes
    return [outcome.score for outcome in outcomes]


# -- the network ---------------------------------------------------------------------------------------------------


def test_scores_of_pictures_of_the_networks_size_are_those_of_transformers(folder: Path) -> None:
    pictures = [make_picture(seed, SIDE, SIDE) for seed in range(4)]

    ours = a_checker(folder)(pixels_of(*pictures)).tolist()

    assert max(ours) - min(ours) > 0.05, "or all are alike"
    assert ours == pytest.approx(theirs(folder, pictures), abs=1e-5)


@pytest.mark.parametrize("resample", [2, 3])
def test_scores_of_larger_pictures_are_those_of_transformers(tmp_path: Path, resample: int) -> None:
    folder = save_checker(tmp_path / "one", resample=resample)
    pictures = [make_picture(seed, 128, 64) for seed in range(4)]

    ours = a_checker(folder)(pixels_of(*pictures)).tolist()

    assert ours == pytest.approx(theirs(folder, pictures), abs=5e-3), "theirs are rounded to grey levels in between"


def test_several_unsafe_labels_are_added_up(tmp_path: Path) -> None:
    labels = {0: "drawings", 1: "hentai", 2: "neutral", 3: "porn"}
    folder = save_checker(tmp_path / "one", labels)
    picture = make_picture(3, SIDE, SIDE)

    by_name = a_checker(folder)(pixels_of(picture)).item()
    named = a_checker(folder, ["Neutral"])(pixels_of(picture)).item()

    of = {label: theirs(folder, [picture], label)[0] for label in labels.values()}
    assert by_name == pytest.approx(of["hentai"] + of["porn"], abs=1e-5)
    assert named == pytest.approx(of["neutral"], abs=1e-5)


# -- in the engine -------------------------------------------------------------------------------------------------


def test_rows_of_a_batch_share_a_call_and_have_the_scores_that_they_have_alone(folder: Path) -> None:
    checker = a_checker(folder)
    engine, calls = watched(checker)
    jobs = [make_job(make_params(prompt=f"prompt {i}", seed=i), i) for i in range(4)]
    alone = [outcome for job in jobs for outcome in run(engine, [job])]
    calls.clear()

    together = run(engine, jobs)

    assert calls == [4]
    assert scores_of(together) == pytest.approx(scores_of(alone), abs=1e-3)
    for outcome in together:
        expected = checker(pixels_of(picture_of(outcome))).item()
        assert isinstance(outcome, Result) and outcome.score == pytest.approx(expected, abs=1e-5)


def test_pictures_are_those_without_a_checker() -> None:
    jobs = [make_job(make_params(seed=i), i) for i in range(3)]
    plain, _ = make_engine(make_model())
    checked, _ = watched(as_checker(Brightness()))

    for one, other in zip(run(plain, jobs), run(checked, jobs), strict=True):
        np.testing.assert_array_equal(picture_of(one), picture_of(other))
        assert isinstance(one, Result) and one.score is None


def test_without_a_checker_there_is_no_call_and_no_work() -> None:
    engine, calls = watched(None)

    outcomes = run(engine, [make_job(make_params()), shown(WHITE, 1)])

    assert calls == [] and scores_of(outcomes) == [None, None]
    params = make_params()
    with_checker = watched(as_checker(Brightness()))[0].cost(params).works
    assert with_checker[-1] - engine.cost(params).works[-1] == CHECK_WORK


@pytest.mark.parametrize("is_on_host", [False, True])
def test_what_is_shown_as_it_came_is_checked_too(is_on_host: bool) -> None:
    engine, _ = watched(BrightnessOnHost() if is_on_host else as_checker(Brightness()))
    if is_on_host:
        engine = engine_on_host()[0]

    scores = scores_of(run(engine, [shown(WHITE), shown(GREY, 1)]))

    assert scores == pytest.approx([1.0, 128 / 255], abs=1e-5)


@pytest.mark.parametrize("is_on_host", [False, True])
def test_input_that_may_be_seen_counts_where_it_is_worse(is_on_host: bool) -> None:
    engine = engine_on_host()[0] if is_on_host else watched(as_checker(Brightness()))[0]
    jobs = [replace(make_job(make_params(), 0, picture=WHITE), checks_input=seen) for seen in (False, True)]

    hidden, seen = run(engine, jobs)

    assert scores_of([seen]) == pytest.approx([1.0], abs=1e-5)
    assert scores_of([hidden]) == pytest.approx([picture_of(hidden).mean() / 255], abs=1e-3)


@pytest.mark.parametrize("is_on_host", [False, True])
def test_picture_that_an_input_was_mixed_into_is_checked_and_that_input_where_it_may_be_seen(is_on_host: bool) -> None:
    engine = engine_on_host()[0] if is_on_host else watched(as_checker(Brightness()))[0]
    jobs = [replace(shown(DARK, i, checks_input=seen), original=WHITE) for i, seen in enumerate((False, True))]

    assert scores_of(run(engine, jobs)) == pytest.approx([20 / 255, 1.0], abs=1e-5)


def engine_on_host() -> tuple[DiffusionEngine, BrightnessOnHost]:
    checker = BrightnessOnHost()

    class OnHost(OnnxChecker):
        def __init__(self) -> None:
            pass

        def scores(self, pictures: Any) -> list[float]:
            return checker.scores(pictures)

    return watched(OnHost())[0], checker


@pytest.mark.parametrize("is_on_host", [False, True])
def test_score_that_is_no_number_is_told_of_its_row_alone(is_on_host: bool) -> None:
    engine = engine_on_host()[0] if is_on_host else watched(as_checker(Brightness()))[0]

    red, grey = scores_of(run(engine, [shown(RED), shown(GREY, 1)]))

    assert red is not None and math.isnan(red)
    assert grey == pytest.approx(128 / 255, abs=1e-5)


@pytest.mark.parametrize("is_on_host", [False, True])
def test_checker_that_fails_gives_no_number_says_so_and_the_engine_goes_on(
    is_on_host: bool, caplog: pytest.LogCaptureFixture
) -> None:
    engine = engine_on_host()[0] if is_on_host else watched(as_checker(Brightness()))[0]

    (failed,) = scores_of(run(engine, [shown(GREEN)]))
    (sound,) = scores_of(run(engine, [shown(GREY)]))

    assert failed is not None and math.isnan(failed)
    assert "the frame checker fails" in caplog.text and "green is no colour" in caplog.text
    assert sound == pytest.approx(128 / 255, abs=1e-5)


def test_frames_of_two_sizes_take_a_call_each(folder: Path) -> None:
    engine, calls = watched(a_checker(folder))

    run(engine, [make_job(make_params()), make_job(make_params(width=64, height=128), 1), shown(GREY, 2)])

    assert sorted(calls) == [1, 1, 1]


def test_checks_are_replayed_by_graphs_and_equal_eager_ones(folder: Path) -> None:
    model = make_model(checker=a_checker(folder))
    jobs = [make_job(make_params(seed=i), i) for i in range(3)]
    eager = scores_of(run(DiffusionEngine(model, RecordingBackend(model)), jobs))
    backend = GraphBackend(RecordingBackend(model), Rerun(), 4, model.device)
    engine = DiffusionEngine(model, backend, max_rows=4)

    for _ in range(EAGER_CALLS + 2):
        replayed = scores_of(run(engine, jobs))

    graphs = next(iter(backend._sizes._sizes.values())).graphs
    assert any(key.kind == Kind.CHECK for key in graphs)
    assert replayed == pytest.approx(eager, abs=1e-5)
