"""Every setting, param, message, code and route stands in the docs, and everything that the docs name exists."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from realtime import protocol
from realtime.config import Config
from realtime.errors import CloseCode
from realtime.frame import STAGES
from realtime.params import Params
from realtime.server.app import create_app
from realtime.server.osc.addresses import BUTTONS, FIELDS, SWITCHES
from realtime.session import COMMANDS
from realtime.stats import DropReason
from tests.fakes.servers import a_config

ROOT = Path(__file__).parent.parent
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
OSC = (ROOT / "docs" / "osc.md").read_text()
SERVER_MESSAGES = re.findall(r'_text\("(\w+)"', inspect.getsource(protocol))
CLIENT_MESSAGES = re.findall(r'kind == "(\w+)"', inspect.getsource(protocol))


def code(name: str) -> str:
    return f"`{name}`"


def missing(names: list[str], text: str) -> list[str]:
    return [name for name in names if code(name) not in text]


def test_every_setting_stands_in_the_configuration() -> None:
    assert missing(list(Config.model_fields), CONFIGURATION) == []


def test_every_setting_of_the_configuration_exists() -> None:
    rows = re.findall(r"^\| `--[\w-]+`, `(\w+)`", CONFIGURATION, re.MULTILINE)

    assert sorted(rows) == sorted(Config.model_fields)


def plain(value: str) -> float | str:
    """A default as it is written, without the dress of a number."""
    bare = value.strip("`").replace(" ", "")
    return float(bare) if re.fullmatch(r"[\d.]+", bare) and bare.count(".") < 2 else bare


def test_defaults_of_the_configuration_are_the_real_ones() -> None:
    rows = dict(re.findall(r"^\| `--[\w-]+`, `(\w+)` \| ([\d ]+|`[^`]+`) \|", CONFIGURATION, re.MULTILINE))

    told = {name: plain(value) for name, value in rows.items()}

    assert len(told) > 10
    assert told == {name: plain(str(Config.model_fields[name].default)) for name in told}


def test_every_param_stands_in_the_protocol() -> None:
    assert missing(list(Params.model_fields), PROTOCOL) == []


def test_every_message_stands_in_the_protocol() -> None:
    assert {"ready", "loading", "queued", "params", "error", "dropped", "stats"} <= set(SERVER_MESSAGES)
    assert set(CLIENT_MESSAGES) == {"params", "command", "video"}
    assert missing([*SERVER_MESSAGES, *CLIENT_MESSAGES], PROTOCOL) == []


def test_every_close_code_stands_in_the_protocol() -> None:
    assert [code for code in CloseCode if not re.search(rf"^\| {code.value} \|", PROTOCOL, re.MULTILINE)] == []


def test_every_drop_reason_and_stage_stands_in_the_protocol() -> None:
    assert missing([*DropReason, *STAGES], PROTOCOL) == []


def test_every_error_code_stands_in_the_protocol() -> None:
    codes = {"invalid_frame"}
    for file in (ROOT / "realtime").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = {"FrameError": 1, "error_message": 0}.get(name)
            if at is not None and len(node.args) > at and isinstance(argument := node.args[at], ast.Constant):
                codes.add(argument.value)

    assert len(codes) > 5
    assert missing(sorted(codes), PROTOCOL) == []


def test_every_command_stands_in_the_protocol() -> None:
    assert missing(list(COMMANDS), PROTOCOL) == []


def test_every_osc_address_stands_in_its_page_and_every_one_of_the_page_exists() -> None:
    named = set(re.findall(r"/realtime/([a-z_]+)", OSC))

    own = {*SWITCHES, *BUTTONS, "pad", "bpm", "crossfade", "blend", "sync", "fps", "error", "session"}
    assert {*own, "prompt"} <= named
    assert named <= {*own, *FIELDS}


def routes() -> list[str]:
    app = create_app(a_config())
    documented = [
        f"{method.upper()} {path}" for path, operations in app.openapi()["paths"].items() for method in operations
    ]
    return [*documented, "GET /", "GET /overlay", "GET /remote", "GET /docs", "GET /openapi.json"]


@pytest.mark.parametrize("route", routes())
def test_every_route_stands_in_the_protocol(route: str) -> None:
    assert re.search(rf"`{re.escape(route)}[`?]", PROTOCOL)


def test_websocket_stands_in_the_protocol() -> None:
    assert "`GET /ws`" in PROTOCOL
    assert code(protocol.SUBPROTOCOL) in PROTOCOL
    assert f"{protocol.HEADER.size} bytes" in PROTOCOL


@pytest.mark.parametrize("file", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"], ids=lambda file: file.name)
def test_links_between_documents_lead_somewhere(file: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", file.read_text())

    assert [link for link in links if not (file.parent / link).exists()] == []


def test_every_limit_names_a_test_that_there_is() -> None:
    file = ""
    for line in (ROOT / "docs" / "limits.md").read_text().splitlines():
        if not line.startswith("| ") or line.startswith("| input"):
            continue
        places = re.findall(r"`([\w/…]+?(?:\.py)?)(?:::(\w+))?`", line.rpartition(" | ")[2])
        assert places, line
        for path, test in places:
            file = file if path == "…" else path
            assert not test or f"def {test}(" in (ROOT / "tests" / file).read_text(), line
            assert (ROOT / "tests" / file).exists(), line


def test_every_function_option_and_event_of_the_javascript_client_stands_in_its_page() -> None:
    page = (ROOT / "docs" / "javascript.md").read_text()
    source = (ROOT / "web_client" / "src" / "client" / "client.ts").read_text()
    body = source[source.index("export class RealtimeClient") :]
    methods = re.findall(r"^  (?:async |get )?([a-z]\w+)(?:<[^>]*>)?\(", body, re.MULTILINE)
    options = re.findall(r"^  (\w+)\?:", source[source.index("export interface ClientOptions") :], re.MULTILINE)
    events = re.findall(r"^  (\w+): \(", source[source.index("export interface ClientEvents") :], re.MULTILINE)

    assert len(methods) > 8 and len(options) > 6 and len(events) == 5
    assert [name for name in methods if f"`{name}" not in page and name != "constructor"] == []
    assert missing([*options, *events], page) == []
