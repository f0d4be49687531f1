"""Chaos and soak in their short forms, on real servers, and what they look at."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.endurance import __main__ as command
from scripts.endurance.attackers import ATTACKS
from scripts.endurance.census import Census
from scripts.endurance.chaos import ChaosPlan, chaos
from scripts.endurance.faults import KINDS
from scripts.endurance.report import Curve, Report
from scripts.endurance.siege import SiegePlan, siege
from scripts.endurance.soak import JUDGED_FROM_S, Sample, SoakPlan, grown, quarters, soak
from scripts.endurance.watchers import ways

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc and sets limits of processes")
FATES = {"picture", "repeat", "superseded", "engine_restarted", "cut"}
HELD = Census(descriptors=20, threads=10, children=3, zombies=0, maps=1, files=0)
SAMPLE = Sample(0.0, 200.0, 100.0, 30, 12, 3, 40)


def samples(**last: float) -> list[Sample]:
    """Five minutes, in the last quarter of which some numbers are others."""
    return [
        replace(SAMPLE, at_s=second, **(last if second >= 0.75 * 1.25 * JUDGED_FROM_S else {}))
        for second in range(int(1.25 * JUDGED_FROM_S))
    ]


def test_seed_gives_the_same_faults_again() -> None:
    assert ChaosPlan(1, 50).draw() == ChaosPlan(1, 50).draw() != ChaosPlan(2, 50).draw()
    assert {name for name, _ in ChaosPlan(1, 200).draw()} == set(KINDS)


def test_what_there_is_more_of_is_named_and_what_pools_and_visitors_take_is_not() -> None:
    now = replace(HELD, descriptors=22, threads=30, zombies=1, children=2)

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

    assert [plan.rounds for plan in plans] == [50, 20]
    assert all(KINDS[name].ends_engine for name in plans[0].kinds)
    assert plans[1].kinds == ("cut_network",)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["problems"] == ["a zombie"]
    assert json.loads(output.read_text())["problems"] == []


# -- on real servers -----------------------------------------------------------------------------------------------


LIVES = tuple(name for name, kind in KINDS.items() if not kind.ends_server)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "seed", "drawn"),
    [
        (LIVES, 5, {"hold_network", "fill_disk", "lose_clients", "cut_network", "starve_memory", "kill_engine"}),
        (("kill_server", "starve_descriptors"), 7, {"kill_server", "starve_descriptors"}),
    ],
    ids=["lives", "is killed"],
)
async def test_server_that_is_harmed_serves_on_and_leaves_nothing(
    kinds: tuple[str, ...], seed: int, drawn: set[str]
) -> None:
    report = await chaos(ChaosPlan(seed, len(drawn), kinds, clients=2, fps=10))

    assert report.problems == []
    assert {row["fault"]: row["times"] for row in report.rows} == dict.fromkeys(drawn, 1)
    fates = Counter(report.facts["fates"])
    assert set(fates) <= FATES
    assert fates["picture"] and fates["repeat"]


@pytest.mark.slow
async def test_clients_that_come_and_go_and_watch_are_all_served() -> None:
    plan = SoakPlan(seed=1, seconds=3, clients=2, fps=10)

    report = await soak(plan)

    assert report.problems == []
    assert set(report.facts["fates"]) <= FATES
    assert set(report.facts["watched"]) == set(ways())
    assert {row["of"] for row in report.rows} == set(asdict(SAMPLE)) - {"at_s"}


@pytest.mark.slow
async def test_good_client_loses_nothing_beside_attacks_on_pads_osc_stills_and_outputs() -> None:
    report = await siege(SiegePlan(seed=1, seconds=4, fps=10))

    assert report.problems == []
    assert set(report.facts["fates"]) <= {"picture", "repeat", "superseded"}
    assert {answer.partition(" ")[0] for answer in report.facts["answers"]} >= set(ATTACKS)
    assert not [answer for answer in report.facts["answers"] if answer.endswith(" 500")]
