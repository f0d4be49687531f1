"""Tables in Markdown of what was seen of the page.

Must not know documents.
"""

from __future__ import annotations

from .tables import VERDICTS, Answer, Row, figure, spread, table


def walks_table(answer: Answer) -> str:
    """Each walk: its actions, how long they and the server took, and what proved its end."""
    rows: list[Row] = []
    for name, walk in answer["walks"].items():
        target = answer["targets"][f"{name}: actions"]
        taken = f"{len(walk['actions'])}: {', '.join(walk['actions'])}"
        wanted = f"{target['limit']:g} {VERDICTS[target['ok']]}"
        rows.append([name, taken, wanted, f"{spread(walk['seconds'])} s", walk["proof"]])
    return table(["walk", "actions", "at most", "took", "its end"], rows)


def stage_line(answer: Answer) -> str:
    """How long it was played, what the page held and how many pictures it had."""
    stage = answer["stage"]
    deeds = sum(stage["played"].values())
    return (
        f"{answer['settings']['minutes']:g} minutes of {answer['model']}, {deeds} things played: "
        f"{figure(min(stage['fps']))} to {figure(max(stage['fps']))} pictures a second, "
        f"{figure(stage['held_mb'][0])} MB held after the first look, {figure(stage['held_mb'][-1])} after the last; "
        f"longest tasks: {_slowest(stage['slowest_ms'])}.\n"
    )


def _slowest(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure(ms)} ms" for name, ms in list(found.items())[:3]) or "none of 50 ms"
