"""Writes docs/touchosc/realtime.tosc, the TouchOSC layout of docs/osc.md: `uvx --from py2tosc python THIS_FILE`."""

from __future__ import annotations

from pathlib import Path

import py2tosc
from py2tosc import ButtonType, Color, Conversion, Frame, OscMessage, Partial, PartialType, Trigger

FILE = Path(__file__).parent.parent / "docs" / "touchosc" / "realtime.tosc"
WIDTH, HEIGHT, GAP = 1024, 640, 8
GREY, AMBER, RED = Color(0.25, 0.27, 0.31, 1), Color(0.96, 0.7, 0.3, 1), Color(0.78, 0.16, 0.11, 1)
PADS_WIDE, PADS_HIGH = 4, 3


def message(path: str, value: str = "x", kind: str = Conversion.FLOAT, top: float = 1, **options: bool) -> OscMessage:
    """A control's value at an address, from 0 to `top`."""
    return OscMessage(
        triggers=[Trigger(value)],
        path=[Partial(PartialType.CONSTANT, Conversion.STRING, f"/realtime/{path}")],
        arguments=[Partial(PartialType.VALUE, kind, value, 0, top)],
        **options,
    )


def named(text: str, frame: Frame, size: int = 16) -> py2tosc.Control:
    """A text, which is nothing to press."""
    label = py2tosc.label(name=f"name of {text}", frame=frame, background=False, interactive=False, textSize=size)
    label.value("text").default = text
    return label


def pad(number: int, frame: Frame) -> list[py2tosc.Control]:
    """A pad that lights up when it was called last, and its name as the studio has it."""
    button = py2tosc.button(name=f"pad {number}", frame=frame, color=AMBER, buttonType=ButtonType.MOMENTARY)
    button.messages.append(message(f"pad/{number}"))
    name = py2tosc.label(name=f"name {number}", frame=frame, background=False, interactive=False, textSize=18)
    name.messages.append(message(f"pad/{number}/name", "text", Conversion.STRING, send=False))
    return [button, name]


def fader(field: str, title: str, top: float, frame: Frame) -> list[py2tosc.Control]:
    """A fader over a param's range."""
    one = py2tosc.fader(name=field, frame=Frame(frame.x, frame.y, frame.w, frame.h - 30), color=AMBER)
    one.messages.append(message(field, top=top))
    return [one, named(title, Frame(frame.x, frame.y + frame.h - 28, frame.w, 28))]


def button(path: str, title: str, color: Color, kind: ButtonType, frame: Frame) -> list[py2tosc.Control]:
    """A button with its name on it."""
    one = py2tosc.button(name=path, frame=frame, color=color, buttonType=kind)
    one.messages.append(message(path))
    return [one, named(title, frame, 20)]


def layout() -> py2tosc.Document:
    """Pads on the left, faders on the right, switches below."""
    root = py2tosc.group(name="realtime", frame=Frame(0, 0, WIDTH, HEIGHT))
    wide, high = 150, 150
    for index in range(PADS_WIDE * PADS_HIGH):
        row, column = divmod(index, PADS_WIDE)
        frame = Frame(GAP + column * (wide + GAP), GAP + row * (high + GAP), wide, high)
        root.children += pad(index + 1, frame)
    left = GAP + PADS_WIDE * (wide + GAP)
    tops = {"strength": 1.0, "amount": 2.0, "calm": 1.0, "feedback": 0.8}
    for index, (field, top) in enumerate(tops.items()):
        root.children += fader(
            field, field.title(), top, Frame(left + index * 94, GAP, 86, PADS_HIGH * (high + GAP) - GAP)
        )
    below = GAP + PADS_HIGH * (high + GAP)
    switches = [
        ("freeze", "Freeze", GREY, ButtonType.TOGGLE_PRESS),
        ("bypass", "Input", GREY, ButtonType.TOGGLE_PRESS),
        ("new_seed", "New seed", GREY, ButtonType.MOMENTARY),
        ("beat", "Beat", GREY, ButtonType.MOMENTARY),
        ("sync", "Sync", GREY, ButtonType.MOMENTARY),
        ("panic", "PANIC", RED, ButtonType.TOGGLE_PRESS),
    ]
    each = (WIDTH - GAP) / len(switches)
    for index, (path, title, color, kind) in enumerate(switches):
        frame = Frame(GAP + index * each, below, each - GAP, HEIGHT - below - GAP)
        root.children += button(path, title, color, kind, frame)
    return py2tosc.Document(root=root)


def main() -> None:
    """Write the file, unless something in it is not of the format."""
    document = layout()
    problems = py2tosc.validate(document)
    if problems:
        raise SystemExit("\n".join(map(str, problems)))
    FILE.parent.mkdir(exist_ok=True)
    py2tosc.save(document, FILE)
    print(f"{FILE}: {len(document.root.children)} controls")


if __name__ == "__main__":
    main()
