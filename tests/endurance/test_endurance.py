"""Chaos and soak in their short forms, on real servers, and what they look at."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from realtime.errors import FrameError
from realtime.frame import Format
from realtime.media import codec
from realtime.params import OutputFormat
from scripts.endurance import __main__ as command
from scripts.endurance.attackers import ATTACKS
from scripts.endurance.callers import NUMBERS, Caller, number_of, numbered
from scripts.endurance.census import Census
from scripts.endurance.chaos import ChaosPlan, chaos
from scripts.endurance.faults import KINDS
from scripts.endurance.report import Curve, Report
from scripts.endurance.siege import SiegePlan, siege
from scripts.endurance.soak import JUDGED_FROM_S, Sample, SoakPlan, grown, quarters, soak
from scripts.endurance.vandals import bad_pictures
from scripts.endurance.watchers import ways

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc and sets limits of processes")
FATES = {"picture", "repeat", "superseded", "engine_restarted", "cut"}
HELD = Census(descriptors=20, threads=10, children=3, zombies=0, maps=1, rooms=1, files=0)
SAMPLE = Sample(0.0, 200.0, 100.0, 30, 12, 3, 40)


def samples(**last: float) -> list[Sample]:
    """Five minutes, in the last quarter of which some numbers are others."""
    return [
        replace(SAMPLE, at_s=second, **(last if second >= 0.75 * 1.25 * JUDGED_FROM_S else {}))
        for second in range(int(1.25 * JUDGED_FROM_S))
    ]


def test_seed_gives_the_same_faults_again() -> None:
    assert ChaosPlan(1, 50).draw() == ChaosPlan(1, 50).draw() != ChaosPlan(2, 50).draw()
    assert {name for name, _ in ChaosPlan(1, 300, tuple(KINDS)).draw()} == set(KINDS)
    assert set(KINDS) - {name for name, _ in ChaosPlan(1, 300).draw()} == {
        "kill_engines",
        "stop_engines",
        "drain_engine",
    }


def test_what_there_is_more_of_is_named_and_what_pools_and_visitors_take_is_not() -> None:
    now = replace(HELD, descriptors=22, threads=30, zombies=1, children=2, rooms=4)

    assert now.more_than(HELD) == {"threads": (10, 30), "zombies": (0, 1)}


def test_what_grows_is_named_and_what_grew_before_is_not() -> None:
    assert grown(samples()) == []
    assert grown(samples(resident_mb=203.0, descriptors=33)) == []
    (memory, tasks) = grown(samples(resident_mb=205.0, tasks=60))
    assert memory == "resident_mb grows: 200.0 in the second quarter, 205.0 in the last"
    assert tasks.startswith("tasks grows")
    assert quarters([9.0, 1.0, 5.0, 3.0]) == (1.0, 3.0)


def test_plot_is_drawn_and_table_has_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report({"bench": "soak"}, {"seed": 1}, [{"of": "threads", "late": 2.0}])
    report.curves.append(Curve("threads", [(0.0, 1.0), (10.0, 2.0)]))
    report.problems.append("it grows")

    report.show()
    (line,) = ElementTree.fromstring(report.plot()).iter("{http://www.w3.org/2000/svg}polyline")

    assert capsys.readouterr().err.splitlines() == ["of       late", "threads  2.00", "PROBLEM: it grows"]
    assert line.get("points") == "60.0,96.0 712.0,48.0"
    assert report.wire()["curves"] == {"threads": [[0.0, 1.0], [10.0, 2.0]]}


def test_command_line_ends_with_a_json_object_and_with_1_where_something_was_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plans: list[ChaosPlan] = []

    async def found(plan: ChaosPlan) -> Report:
        plans.append(plan)
        return Report({"bench": "chaos"}, problems=["a zombie"] if plan.seed else [])

    monkeypatch.setattr(command, "chaos", found)
    output = tmp_path / "found.json"

    assert command.main(["chaos", "--kills", "50", "--seed", "0", "--output", str(output)]) == 0
    assert command.main(["chaos", "--fault", "cut_network", "--seed", "1"]) == 1
    several = "--engines 2 --callers 1 --vandals 1 --formats png webp --beside kill_decoder --spawn"
    assert command.main(["chaos", *several.split()]) == 0

    assert [plan.rounds for plan in plans] == [50, 20, 20]
    assert all(KINDS[name].ends_engine for name in plans[0].kinds)
    assert plans[1].kinds == ("cut_network",)
    assert (plans[0].engines, plans[0].formats, plans[0].of_server()[-2:]) == (1, ("jpeg",), ("--log-level", "warning"))
    assert plans[2].kinds == tuple(KINDS)
    assert plans[2].of_server()[-2:] == ("--devices", "cpu,cpu")
    assert (plans[2].callers, plans[2].vandals, plans[2].formats, plans[2].beside, plans[2].spawns) == (
        1, 1, ("png", "webp"), ("kill_decoder",), True,
    )  # fmt: skip
    assert json.loads(capsys.readouterr().out.splitlines()[1])["problems"] == ["a zombie"]
    assert json.loads(output.read_text())["problems"] == []


# -- who takes part ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 4095, 4096, 70_001])
def test_picture_of_a_video_says_its_number_also_when_it_was_compressed(number: int) -> None:
    planes = numbered(number).to_ndarray(format="gray").astype(np.int16)
    coarse = np.clip(planes + np.random.default_rng(1).integers(-40, 40, planes.shape), 0, 255).astype(np.uint8)

    assert number_of(coarse) == number % NUMBERS
    assert number_of(np.full_like(coarse, 128)) is None


def test_video_that_goes_back_is_a_problem_and_what_was_not_shown_was_passed_over() -> None:
    caller = Caller("http://127.0.0.1:1/", "ann")
    for number in range(1, 6):
        caller.account.sent(number)

    for number in (2, 2, 4, 3):
        caller._take(numbered(number).to_ndarray(format="gray"))

    assert caller.account.fates == Counter(picture=2, passed_over=2)
    assert caller.account.unsettled == 1
    assert caller.account.problems == ["ann: a picture came 1 behind a newer one"]


def test_bad_pictures_are_the_same_for_a_seed_and_cost_no_more_than_themselves() -> None:
    pictures = bad_pictures(3)

    assert pictures == bad_pictures(3) != bad_pictures(4)
    refused = 0
    for picture in pictures:
        try:
            codec.decode_with_alpha(picture, _format_of(picture), 64, 64, 2**20)
        except FrameError:
            refused += 1
    assert len(pictures) / 4 < refused < len(pictures)


def _format_of(picture: bytes) -> Format:
    return {b"\xff": Format.JPEG, b"\x89": Format.PNG, b"R": Format.WEBP}[picture[:1]]


# -- on real servers -----------------------------------------------------------------------------------------------


ONE = ("hold_network", "fill_disk", "lose_clients", "cut_network", "starve_memory", "kill_engine")
SEVERAL = ("kill_engines", "drain_engine", "kill_forkserver", "kill_decoders", "stop_engine")


@pytest.mark.slow
@pytest.mark.parametrize(
    "plan",
    [
        ChaosPlan(5, len(ONE), ONE),
        ChaosPlan(7, 2, ("kill_server", "starve_descriptors")),
        ChaosPlan(
            3, len(SEVERAL), SEVERAL, engines=2, callers=1, vandals=1, formats=tuple(OutputFormat),
            beside=("kill_decoder", "stop_decoder"),
        ),
        ChaosPlan(
            1, 3, ("kill_engine", "kill_decoders", "kill_server"), engines=2, callers=1, vandals=1,
            formats=(OutputFormat.PNG,), spawns=True,
        ),
    ],
    ids=["lives", "is killed", "has several engines, and decoders", "spawns"],
)  # fmt: skip
async def test_server_that_is_harmed_serves_on_and_leaves_nothing(
    plan: ChaosPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChaosPlan, "draw", lambda plan: [(name, plan.seed) for name in plan.kinds])  # each once

    report = await chaos(replace(plan, clients=2, fps=10))

    assert report.problems == []
    assert {row["fault"]: row["times"] for row in report.rows} == dict.fromkeys(plan.kinds, 1)
    fates = Counter(report.facts["fates"])
    assert set(fates) <= FATES | ({"invalid_frame", "passed_over", "unreadable"} if plan.callers else set())
    assert fates["picture"] and fates["repeat"]
    assert bool(report.facts["vandals_fates"].get("invalid_frame")) is bool(plan.vandals)


@pytest.mark.slow
async def test_clients_that_come_and_go_and_watch_are_all_served() -> None:
    plan = SoakPlan(seed=1, seconds=3, clients=2, fps=10)

    report = await soak(plan)

    assert report.problems == []
    assert set(report.facts["fates"]) <= FATES
    assert set(report.facts["watched"]) == set(ways())
    assert {row["of"] for row in report.rows} == set(asdict(SAMPLE)) - {"at_s"}


@pytest.mark.slow
async def test_good_client_loses_nothing_beside_all_attacks_at_once() -> None:
    report = await siege(SiegePlan(seed=1, seconds=6, fps=10))

    assert report.problems == []
    assert set(report.facts["fates"]) <= {"picture", "repeat", "superseded"}
    assert {answer.partition(" ")[0] for answer in report.facts["answers"]} >= set(ATTACKS)
    assert not [answer for answer in report.facts["answers"] if answer.endswith(" 500")]
