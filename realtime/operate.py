"""`realtime workers`, `realtime loras` and `realtime swap`: takes the engines of a server that runs out of service and
back, changes what its model wears, and its model.

Must not know the server: it asks over HTTP, as any program may.
"""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, urlsplit

import typer

from .errors import AccessError, ClientError, UnreachableError

app = typer.Typer(help="The engines of a server that runs.", no_args_is_help=True)
loras_app = typer.Typer(help="The LoRAs of a server that runs.", no_args_is_help=True)

LOOK_AGAIN_S = 0.25
"""How often it is looked how far a change of the model is."""
ANSWER_S = 120.0
"""How long an answer may take: an engine that is drained has ticks to end, or is seen to hang first."""

Url = Annotated[str, typer.Option(help="The server's address, as it printed it.")]
Token = Annotated[str | None, typer.Option(envvar="REALTIME_TOKEN", help="Its token, unless the address has it.")]
Trust = Annotated[Path | None, typer.Option(help="File of its certificate, where no authority knows that.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the engine, as `list` shows it.")]
Lora = Annotated[str, typer.Argument(metavar="NAME", help="Of the LoRA, as `list` shows it.")]
Weight = Annotated[float, typer.Argument(metavar="WEIGHT", help="Factor of its changes, as 0.8.")]
HERE = "http://127.0.0.1:8777"


@dataclass(frozen=True, slots=True)
class Asked:
    """A server that is asked.

    Attributes:
        url: its address; may have a path, and the token in its query.
        token: instead of that one.
        trust: file of its own certificate.
    """

    url: str
    token: str | None = None
    trust: Path | None = None

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object that it answers with.

        Args:
            body: sent as JSON; None sends none.

        Args:
            body: a JSON object; None: nothing.

        Raises:
            AccessError: the token is missing, or a wrong one.
            UnreachableError: no server answers there.
            ClientError: it refuses, and says why; or the certificate's file is none.
        """
        parts = urlsplit(self.url)
        token = self.token or parse_qs(parts.query).get("token", [""])[0]
        address = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}{path}"
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(address, data, method=method, headers=headers)
            with urllib.request.urlopen(request, timeout=ANSWER_S, context=self._tls()) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            detail = _detail(error)
            raise (AccessError if error.code in (401, 403) else ClientError)(detail) from None
        except (OSError, ValueError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            why = getattr(reason, "strerror", None) or reason
            raise UnreachableError(f"no server answers at {self.url.partition('?')[0]}: check --url ({why})") from None

    def _tls(self) -> ssl.SSLContext | None:
        if self.trust is None:
            return None
        try:
            return ssl.create_default_context(cafile=self.trust)
        except OSError as error:
            raise ClientError(f"{self.trust} is no certificate: check --trust ({error.strerror})") from None


def _detail(error: urllib.error.HTTPError) -> str:
    """What a server says that refuses."""
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {error.code}: is it one of this version?"


@app.command("list")
def list_workers(url: Url = HERE, token: Token = None, trust: Trust = None) -> None:
    """Its engines: device, state, sessions, and how many pictures a second each session there could have."""
    from rich.console import Console
    from rich.table import Table

    table = Table("worker", "device", "state", "sessions", "capacity fps", "rung, or why not")
    for one in Asked(url, token, trust).ask("GET", "/api/workers")["workers"]:
        numbers = [str(one["sessions"]), f"{one['capacity_fps']:g}"]
        table.add_row(one["name"], one["device"], one["state"], *numbers, one["reason"] or one["rung"] or "")
    Console().print(table)


@app.command("drain")
def drain_worker(name: Name, url: Url = HERE, token: Token = None, trust: Trust = None) -> None:
    """Take an engine out of service: its sessions go on at others, without a frame lost, and then it is closed."""
    _say(Asked(url, token, trust).ask("POST", f"/api/workers/{quote(name, safe='')}/drain"))


@app.command("start")
def start_worker(name: Name, url: Url = HERE, token: Token = None, trust: Trust = None) -> None:
    """Load an engine that was drained, or has failed."""
    _say(Asked(url, token, trust).ask("POST", f"/api/workers/{quote(name, safe='')}/start"))


@loras_app.command("list")
def list_loras(url: Url = HERE, token: Token = None, trust: Trust = None) -> None:
    """Those in force with their weights, and those that can be added."""
    _show_loras(Asked(url, token, trust).ask("GET", "/api/loras"))


@loras_app.command("set")
def set_lora(name: Lora, weight: Weight, url: Url = HERE, token: Token = None, trust: Trust = None) -> None:
    """Give a LoRA a weight, which adds it where it is not there; returns when pictures have it."""
    _show_loras(Asked(url, token, trust).ask("PATCH", "/api/loras", {"loras": {name: weight}}))


@loras_app.command("remove")
def remove_lora(name: Lora, url: Url = HERE, token: Token = None, trust: Trust = None) -> None:
    """Take a LoRA off: the weights are what they were without it."""
    _show_loras(Asked(url, token, trust).ask("PATCH", "/api/loras", {"loras": {name: None}}))


def _show_loras(answer: dict[str, Any]) -> None:
    if answer["takes_loras"] is False:
        typer.echo("this server's model takes no LoRAs")
    weights = {one["name"]: one["weight"] for one in answer["loras"]}
    for name in [*weights, *(name for name in answer["available"] if name not in weights)]:
        typer.echo(f"{name}: {weights[name]:g}" if name in weights else f"{name}: not in use")
    for note in answer["notes"]:
        typer.echo(note)


def _say(worker: dict[str, Any]) -> None:
    typer.echo(f"worker {worker['name']} on {worker['device']}: {worker['state']}")


def swap(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Of a model, as the server lists them; none: list them.")
    ] = "",
    dissolve_s: Annotated[float, typer.Option(help="Seconds in which pictures go over, 0 to 10.")] = 0.5,
    free_first: Annotated[
        bool, typer.Option("--free-first", help="Where memory is short: close the model before first; viewers wait.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Call off the change that is on its way: the model stays.")
    ] = False,
    url: Url = HERE,
    token: Token = None,
    trust: Trust = None,
) -> None:
    """Change the model of a server that runs: the next is loaded beside the one that serves, and no session ends."""
    asked = Asked(url, token, trust)
    if cancel:
        _call_off(asked, name)
        return
    if not name:
        _list_models(asked.ask("GET", "/api/models"))
        return
    body = {"name": name, "dissolve_s": dissolve_s, "free_first": free_first}
    change = _followed(asked, asked.ask("POST", "/api/model", body)["swap"])
    if change["state"] != "done":
        why = change.get("reason", "somebody has cancelled it")
        raise ClientError(f"the model is not changed to {change['name']}: {why}")
    typer.echo(", ".join([f"the model is {change['name']}", *([change["reason"]] if "reason" in change else [])]))


def _call_off(asked: Asked, name: str) -> None:
    if name:
        raise ClientError("--cancel is given without NAME: one change is on its way at most")
    change = _followed(asked, asked.ask("DELETE", "/api/model")["swap"])
    typer.echo(f"the change to {change['name']} is {change['state']}")


def _followed(asked: Asked, change: dict[str, Any]) -> dict[str, Any]:
    """A change when it has ended; says how far it is until then."""
    said = ""
    while change["state"] not in ("done", "failed", "cancelled"):
        percent = "" if change["percent"] is None else f", {change['percent']:.0f} %"
        if (text := f"{change['state']}: {change['stage'] or change['name']}{percent}") != said:
            typer.echo(said := text)
        time.sleep(LOOK_AGAIN_S)
        change = asked.ask("GET", "/api/models")["swap"]
    return change


def _list_models(told: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "what", "licence of the weights", "here")
    for one in told["models"]:
        here = "serves" if one["name"] == told["model"] else "yes" if one["here"] else f"{one['download_gb']:.1f} GB"
        table.add_row(one["name"], one["title"], one["licence"], here)
    Console().print(table)
