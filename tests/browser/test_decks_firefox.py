"""The decks in Firefox: a clip that plays on B, the crossfader, what others command, and what a reload brings back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.interop.clients.firefox import Firefox, firefox

from .driver import ServerProcess, serving, session_of, until
from .test_sources import RECORD

pytestmark = pytest.mark.browser

TOOLS = """
const until = async (look, what) => {
    const ends = performance.now() + 45000;
    for (;;) {
        const seen = await look();
        if (seen) return seen;
        if (performance.now() > ends) throw new Error(`not so in time: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
};
const find = (selector) => until(() => document.querySelector(selector), selector);
/** A sum of what the mix on the stage shows, and its mean colour. */
const seen = () => {
    const canvas = document.querySelector(".picture.input .mount > canvas");
    if (!canvas?.width) return null;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const sumOf = (at) => data.reduce((sum, value, index) => sum + (index % 4 === at ? value : 0), 0);
    const mean = [0, 1, 2].map((at) => sumOf(at) / data.length * 4);
    return { sum: data.reduce((sum, value, index) => (sum + value * (index % 251)) % 1000003, 0), mean };
};
const moves = async () => {
    const first = seen()?.sum;
    return until(() => seen()?.sum !== first, "the mix moves");
};
"""
BEGIN = f"""async () => {{
    {TOOLS}
    const record = {RECORD};
    const video = Uint8Array.from(atob(await record()), (each) => each.charCodeAt(0));
    const red = new OffscreenCanvas(64, 64);
    Object.assign(red.getContext("2d"), {{ fillStyle: "rgb(200, 60, 40)" }}).fillRect(0, 0, 64, 64);
    const files = [
        new File([await red.convertToBlob()], "red.png", {{ type: "image/png" }}),
        new File([video], "bar.webm", {{ type: "video/webm" }}),
    ];
    (await find(".views button")).click();
    const clips = await find(".clips");
    const dataTransfer = new DataTransfer();
    for (const file of files) dataTransfer.items.add(file);
    clips.dispatchEvent(new DragEvent("drop", {{ dataTransfer, bubbles: true, cancelable: true }}));
    await until(() => document.querySelectorAll(".clip").length === 2, "both clips are there");
    const pads = document.querySelectorAll(".clip .pad");
    (await find("[data-deck=a] .deck-name")).click();
    pads[0].click();
    await until(() => document.querySelector("[data-deck=a] .file-name"), "the picture is on A");
    (await find("[data-deck=b] .deck-name")).click();
    pads[1].click();
    await find("[data-deck=b] .trim");
    const a = (await until(seen, "the mix is on the stage")).mean;
    (await find("[data-midi=cut]")).click();
    await moves();
    return {{ a, b: seen().mean, at: document.querySelector(".fader input").value }};
}}"""
AT = f"""async (at) => {{
    {TOOLS}
    return until(() => document.querySelector(".fader input")?.value === at, `the crossfader is at ${{at}}`);
}}"""
AGAIN = f"""async () => {{
    {TOOLS}
    await find("[data-deck=b] .trim");
    await moves();
    const names = [...document.querySelectorAll(".deck-input .file-name")].map((one) => one.textContent);
    return {{ names, at: document.querySelector(".fader input").value, b: seen().mean }};
}}"""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving("--model", "echo") as running:
        yield running


@pytest.fixture
def tab() -> Iterator[Firefox]:
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    if binary is None:
        if os.environ.get("REALTIME_TEST_BROWSER") == "required":
            pytest.fail("no Firefox found")
        pytest.skip("no Firefox found")
    with firefox(binary) as opened:
        yield opened


def command(server: ServerProcess, session: str, **body: Any) -> dict[str, Any]:
    data = json.dumps({"command": "crossfade", **body}).encode()
    with urlopen(Request(f"{server.url}api/sessions/{session}/command", data)) as answer:
        return json.load(answer)


def test_decks_play_in_firefox_and_outlive_a_reload(tab: Firefox, server: ServerProcess) -> None:
    tab.open(server.url)
    begun = tab.evaluate(BEGIN, None)
    session = session_of(server)["session"]
    until(lambda: session_of(server)["crossfade"], lambda now: now and now["at"] == 1, "the server knows the cut")
    moved = command(server, session, at=0.75, transition_s=0.5)["crossfade"]
    assert tab.evaluate(AT, "0.75")
    tab.open(server.url)
    again = tab.evaluate(AGAIN, None)

    assert begun["at"] == "1"
    assert begun["a"][0] > 150 > begun["a"][1], "red alone"
    assert begun["b"][1] > begun["b"][0], "the green video alone"
    assert moved == {"at": 0.75, "transition_s": 0.5}
    assert again["at"] == "0.75"
    assert again["names"] == ["red.png", "bar.webm"]
    assert session_of(server)["session"] == session
