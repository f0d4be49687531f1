"""Every error that a user can cause is caused and read whole, and no message of the package is missing in the lists."""

from __future__ import annotations

from pathlib import Path

import pytest

import realtime

from . import (
    adapters,
    bench,
    checkers,
    command_line,
    controls,
    door,
    engine,
    http,
    inputs,
    live_loras,
    loras,
    machines,
    model_files,
    nets,
    networks,
    outputs,
    pictures,
    playing,
    rules,
    runs,
    single_files,
    swapping,
    texts,
    webrtc,
    workers,
)
from .case import Case, assert_can_be_read, said
from .templates import Template, templates_below, templates_in

PACKAGE = Path(realtime.__file__).parent
LISTS = (
    command_line,
    model_files,
    networks,
    nets,
    single_files,
    loras,
    adapters,
    controls,
    checkers,
    live_loras,
    engine,
    texts,
    pictures,
    playing,
    http,
    door,
    webrtc,
    workers,
    machines,
    inputs,
    runs,
    outputs,
    bench,
    rules,
    swapping,
)
CASES = [(module.__name__.rpartition(".")[2], case) for module in LISTS for case in module.CASES]

CLOSE_REASON_MAX_BYTES = 120
"""RFC 6455 section 5.5 has room for 123; `websocket.close` cuts what is longer."""

TO_PROGRAMS = ("client/",)
"""Folders whose messages programs get, and not yet in a list: those of the Python client."""

CAUSED_BY_NO_USER = {
    "a mistake in a program that uses the package": {
        "__init__.py": ["module … has no attribute …"],
        "server/snapshot.py": ["this PNG holds no recipe"],
    },
    "said when its hearer has left": {
        "server/body.py": ["the body is not whole"],
        "server/still_routes.py": ["the client has left"],
        "server/succession.py": ["the server ends"],
        "server/engine_host.py": ["it is not wanted any more"],
        "server/swaps.py": ["the download was cancelled"],
    },
    "in place of a reason that an engine did not give": {
        "server/succession.py": ["its engine broke before it served"],
    },
    "a mistake of ours": {
        "engine/diffusion.py": ["… jobs for … free rows"],
        "engine_process/child.py": ["the LoRAs are others by now"],
        "engine_process/dialogue.py": [
            "the engine's process does not say how prompts are heard",
            "the engine's process does not say whether it has read the LoRAs",
        ],
        "engine_process/engine.py": ["… jobs for … free rows"],
        "media/codec.py": ["the picture can't be decoded"],
        "engine/recipe.py": ["this recipe has no second row"],
        "engine/sampler.py": ["a sampler needs at least one step, not …", "… steps don't fit below timestep …"],
    },
    "told to all, as the engine is replaced by itself": {
        "scheduling/scheduler.py": ["the engine's pictures are not numbers any more"],
        "engine_process/engine.py": ["the engine's process can't be started: …"],
    },
    "caught where it is raised from, and said in the words of its catcher": {
        "media/codec.py": ["no VP8 chunk"],
        "media/jpeg.py": ["no marker", "no frame"],
        "media/png.py": ["no IHDR", "no such PNG", "the stream does not end"],
        "protocol.py": ["… is not JSON"],
        "decoder_process/pictures.py": ["it was closed"],
        "decoder_process/worker.py": [
            "it was closed",
            "nobody waits for it any more",
            "it gave no answer for … s",
        ],
        "forked.py": ["the process that it is forked from has ended"],
        "server/webrtc/udp_ports.py": ["all UDP ports are in use"],
    },
    "a rung's, for the log: the user is told that it can't run the model": {
        "engine/rungs/aoti.py": [
            "tensors that are neither weights nor inputs: …",
            "the package wants weights that this model lacks: …",
        ],
        "engine/rungs/compile.py": ["its results …"],
        "engine/rungs/openvino/backend.py": ["results of the … …"],
        "engine/rungs/openvino/known.py": ["no number formats: …"],
    },
    "for the log: prompts are heard anew when they change": {
        "server/remote/host.py": [
            "the worker does not say how prompts are heard: …",
            "the worker has no engine at the moment",
        ],
    },
    "for the log: the other side is gone and is told nothing": {
        "server/webrtc/control.py": [
            "the control channel is closed",
            "the peer takes no texts of the size that is needed",
        ],
        "server/webrtc/peer.py": ["it opened no control channel", "the connection is …", "it never connected"],
    },
}
"""Messages that are in no list, by the reason and the module."""


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{kind}-{case.at_fault}") for kind, case in CASES])
async def test_error_says_what_is_wrong_where_and_what_to_do(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    message = await said(case)

    assert message == case.message
    assert_can_be_read(message, case.at_fault)


@pytest.mark.parametrize("case", [*texts.CLOSES, *webrtc.CLOSES], ids=lambda case: case.message)
def test_reason_of_a_close_is_short_enough_to_be_sent_whole(case: Case) -> None:
    assert len(case.message.encode()) <= CLOSE_REASON_MAX_BYTES


# -- none is missing ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def templates() -> list[Template]:
    return templates_below(PACKAGE)


def left_out() -> set[tuple[str, str]]:
    return {
        (module, text) for modules in CAUSED_BY_NO_USER.values() for module, found in modules.items() for text in found
    }


def test_no_message_is_missing(templates: list[Template]) -> None:
    known = [case.message for _, case in CASES]
    missing = [
        f"{template.module}:{template.line}: {template.text}"
        for template in templates
        if not template.module.startswith(TO_PROGRAMS)
        and (template.module, template.text) not in left_out()
        and not any(map(template.is_in, known))
    ]

    assert missing == []


def test_what_is_left_out_is_there(templates: list[Template]) -> None:
    assert left_out() - {(template.module, template.text) for template in templates} == set()


def test_most_messages_are_found(templates: list[Template]) -> None:
    assert len(templates) > 300
    assert {"config.py", "server/webrtc/sdp.py", "engine/models/header.py"} <= {each.module for each in templates}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("raise ModelError(f'{path}: it is {what} to me')", ["…: it is … to me"]),
        ("raise errors.ModelError('it is unknown' if a else f'there is no {a}')", ["it is unknown", "there is no …"]),
        ("problem = SourceError('it is gone' ' for good')", ["it is gone for good"]),
        ("raise self._refusal(409, 'there are two')", ["there are two"]),
        ("raise HTTPException(404, 'there is none')", ["there is none"]),
        ("self._refuse(HTTPStatus.CONFLICT, 'there are two')", ["there are two"]),
        ("post(protocol.error_message('bad_message', 'it is empty'))", ["it is empty"]),
        ("def _why_not(e):\n    return 'it is taken'", ["it is taken"]),
        (
            "def f(a):\n    what = 'it is taken' if a else 'it is gone'\n    raise HTTPException(404, what)",
            ["it is taken", "it is gone"],
        ),
        ("def other(e):\n    return 'it is taken'", []),
        ("raise ModelError(f'{path}: {error}')", []),
        ("raise ModelError(str(error))", []),
        ("Finding(Verdict.OK, 'port', 'it is free')", []),
        ("Finding(Verdict.NOTE, 'port', 'it is taken')", ["it is taken"]),
    ],
)
def test_message_is_found_in_source(source: str, found: list[str]) -> None:
    assert [template.text for template in templates_in(source, "a.py")] == found


def test_template_is_in_messages_that_say_it() -> None:
    template = Template("a.py", 1, "there is no …, or … is gone")

    assert template.is_in("my.toml: there is no port, or 3 is gone: look")
    assert not template.is_in("there is no port, or 3 is goner")
    assert not template.is_in("there is no port")
