"""Looks, keeping and the show: what is made of the pictures and settings on the page."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, WebSocketRoute, expect

from realtime.server.snapshot import text_of

from .driver import (
    DESKTOP,
    SOON_MS,
    ServerProcess,
    assert_moves,
    difference,
    held,
    opened,
    serving,
    session_of,
    shown,
    start_camera,
    until,
    wait_for_param,
    wait_for_picture_of,
)

pytestmark = pytest.mark.browser

DROP = """(bytes) => {
    const files = new DataTransfer();
    files.items.add(new File([Uint8Array.from(bytes)], "snapshot.png", { type: "image/png" }));
    dispatchEvent(new DragEvent("drop", { dataTransfer: files, cancelable: true }));
}"""
FAKE_MIDI = """
const input = { onmidimessage: null };
navigator.requestMIDIAccess = async () => ({ inputs: new Map([["1", input]]), onstatechange: null });
window.isHeard = () => input.onmidimessage !== null;
window.turn = (...data) => input.onmidimessage({ data: Uint8Array.from(data) });
void 0;
"""
FAKE_SOUND = """
const context = new AudioContext();
const gain = context.createGain();
const tone = context.createOscillator();
const sink = context.createMediaStreamDestination();
gain.gain.value = 0;
tone.connect(gain).connect(sink);
tone.start();
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => (wanted.audio ? sink.stream : real(wanted));
window.loudness = async (value) => { await context.resume(); gain.gain.value = value; };
void 0;
"""


@pytest.fixture(scope="module")
def echo():
    with serving("--model", "echo:20") as server:
        yield server


def prompt(page: Page):
    return page.get_by_label("Prompt", exact=True)


def param(server: ServerProcess, name: str) -> Any:
    return session_of(server)["params"][name]


def tap_twice(tap: Locator) -> None:
    """By the page's own clock: a pause of two seconds between them would begin anew."""
    tap.evaluate("async (tap) => { tap.click(); await new Promise((go) => setTimeout(go, 250)); tap.click(); }")


def test_a_preset_is_saved_called_by_its_key_and_kept(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        prompt(page).fill("neon lines, night")
        page.get_by_role("button", name="Save this look").click()
        prompt(page).fill("pencil sketch")
        wait_for_param(page, echo, "prompt", "pencil sketch")
        page.get_by_role("button", name="Freeze").focus()
        page.keyboard.press("1")
        wait_for_param(page, echo, "prompt", "neon lines, night")
        page.reload()
        expect(page.get_by_role("button", name="neon lines")).to_be_visible(timeout=SOON_MS)
        assert watched.errors == []


def test_a_preset_that_was_removed_or_overwritten_comes_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        prompt(page).fill("oil painting")
        page.get_by_role("button", name="Save this look").click()
        page.get_by_text("Manage presets").click()
        preset = page.locator(".pads").get_by_role("button", name="oil painting")
        page.get_by_role("button", name="Remove oil painting").click()
        expect(preset).to_be_hidden()
        page.get_by_role("button", name="Undo").click()
        expect(preset).to_be_visible()
        prompt(page).fill("ink")
        page.get_by_role("button", name="Put the present look into oil painting").click()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("button", name="Undo")).to_be_hidden()
        page.get_by_role("button", name="Freeze").focus()
        page.keyboard.press("1")
        wait_for_param(page, echo, "prompt", "oil painting")
        assert watched.errors == []


def test_presets_go_through_a_file_and_an_address(browser: Browser, echo: ServerProcess, tmp_path: Path) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        prompt(page).fill("oil painting")
        page.get_by_role("button", name="Save this look").click()
        page.get_by_text("Manage presets").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        download.value.save_as(tmp_path / "presets.json")
        assert json.loads((tmp_path / "presets.json").read_text())["presets"][0]["look"]["prompt"] == "oil painting"
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy an address with oil painting").click()
        expect(page.get_by_text("The address with this preset is copied")).to_be_visible()
        address = page.evaluate("navigator.clipboard.readText()")
    with opened(browser, address, viewport=DESKTOP) as other:
        expect(prompt(other.page)).to_have_value("oil painting", timeout=SOON_MS)
        assert "#" not in other.page.url
        other.page.get_by_text("Manage presets").click()
        other.page.locator(".preset-files input[type=file]").set_input_files(tmp_path / "presets.json")
        expect(other.page.locator(".pads").get_by_role("button", name="oil painting")).to_be_visible()
        assert other.errors == []


def test_earlier_prompts_come_back_with_the_arrow_keys(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        for text in ("first", "second"):
            prompt(page).fill(text)
            prompt(page).press("Enter")
        prompt(page).fill("draft")
        for key, text in (("ArrowUp", "second"), ("ArrowUp", "first"), ("ArrowDown", "second"), ("ArrowDown", "draft")):
            prompt(page).press(key)
            expect(prompt(page)).to_have_value(text)


def test_two_prompts_blend_with_a_slider(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        prompt(page).fill("ink")
        page.get_by_role("button", name="Blend").click()
        page.get_by_label("Prompt 2", exact=True).fill("oil")
        page.get_by_role("slider", name="First – second").fill("0.25")
        wait_for_param(page, echo, "prompt", [{"text": "ink", "weight": 0.75}, {"text": "oil", "weight": 0.25}])
        page.get_by_role("button", name="Remove prompt 1").click()
        wait_for_param(page, echo, "prompt", "oil")


def test_fields_without_effect_say_why(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        watched.page.get_by_text("More settings").click()
        expect(watched.page.get_by_text("This model hears no negative prompt.")).to_be_visible()
        expect(watched.page.get_by_text("the scale does nothing here")).to_be_visible()


def test_amount_stands_beside_the_strength_and_a_choice_of_guidance_only_where_there_is_one(
    browser: Browser, echo: ServerProcess
) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("slider", name="Amount").fill("1.3")
        wait_for_param(page, echo, "amount", 1.3)
        is_next = "(one) => one.nextElementSibling.contains(document.querySelector('#field-amount'))"
        assert page.locator(".how-far:has(#field-strength)").evaluate(is_next)
        expect(page.locator(".field:has(#field-amount)")).to_have_attribute("data-idle", "false")
        page.get_by_text("More settings").click()
        expect(page.get_by_text("the scale does nothing here")).to_be_visible()
        expect(page.locator("#field-guidance")).to_have_count(0)


def test_a_locked_seed_stays(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Keep this seed").click()
        page.locator("body").press("r")
        expect(page.get_by_text("The seed is locked.")).to_be_visible()
        assert param(echo, "seed") == 0


def test_one_picture_is_tried_at_five_strengths(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_role("button", name="Try strengths").click()
        page.get_by_role("button", name="Use strength 0.8").click()
        wait_for_param(page, echo, "strength", 0.8)
        expect(page.locator(".strip canvas")).to_have_count(5)
        assert watched.errors == []


def test_a_snapshot_brings_its_look_back(browser: Browser, echo: ServerProcess, tmp_path: Path) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        prompt(page).fill("gouache")
        wait_for_picture_of(page, echo, "prompt", "gouache")
        with page.expect_download() as download:
            page.get_by_role("button", name="Snapshot").click()
        file = tmp_path / "snapshot.png"
        download.value.save_as(file)
        assert text_of(file.read_bytes())["params"]["prompt"] == "gouache"
        assert np.asarray(Image.open(io.BytesIO(file.read_bytes())).convert("RGB")).std() > 20
        prompt(page).fill("something else")
        wait_for_param(page, echo, "prompt", "something else")
        page.get_by_text("Manage presets").click()
        page.locator(".preset-files input[type=file]").set_input_files(file)
        wait_for_param(page, echo, "prompt", "gouache")
        prompt(page).fill("and again")
        wait_for_param(page, echo, "prompt", "and again")
        page.evaluate(DROP, list(file.read_bytes()))
        wait_for_param(page, echo, "prompt", "gouache")


@pytest.mark.parametrize("both", [False, True], ids=["output", "both"])
def test_a_recording_plays(browser: Browser, echo: ServerProcess, tmp_path: Path, both: bool) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        # The camera's shape.
        page.wait_for_function("() => document.querySelector('.output canvas').width === 592", timeout=SOON_MS)
        if both:
            page.get_by_label("What is recorded").select_option(label="Both, WEBM")
        page.get_by_role("button", name="Record").click()
        page.wait_for_timeout(2000)
        with page.expect_download() as download:
            page.get_by_role("button", name="Stop").click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        with av.open(str(file)) as video:
            assert video.duration is not None
            assert 1 < video.duration / av.time_base < 60, "it says how long it is"
            pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert len(pictures) >= 4, "two a second"
        assert pictures[-1].shape == (448, 1184 if both else 592, 3)
        assert difference(pictures[-1].astype(float), pictures[len(pictures) // 2]) > 1, "it moves"


def test_the_past_can_be_scrubbed_and_its_look_taken(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        prompt(page).fill("then")
        wait_for_param(page, echo, "prompt", "then")
        start_camera(page)
        assert_moves(page)
        prompt(page).fill("now")
        wait_for_picture_of(page, echo, "prompt", "now")
        page.get_by_role("button", name="Rewind").click()
        page.get_by_role("slider", name="Moment").press("Home")
        past = held(page)
        page.wait_for_timeout(500)
        assert difference(shown(page), past) < 0.5, "the past stands still"
        page.get_by_role("button", name="Use its look").click()
        wait_for_param(page, echo, "prompt", "then")
        expect(page.get_by_role("slider", name="Moment")).to_be_hidden()
        assert watched.errors == []


def use_controllers(page: Page) -> None:
    page.evaluate(FAKE_MIDI)
    page.get_by_role("button", name="Pads", exact=True).click()
    page.get_by_role("button", name="Learn MIDI").click()
    expect(page.get_by_text("Click a control")).to_be_visible()


def learn(page: Page, control: Locator, name: str) -> None:
    """Have the page wait for the knob or key of something."""
    control.click()
    expect(page.get_by_text(f"Turn a knob or hit a key for “{name}”")).to_be_visible()


def test_a_knob_is_learned_and_moves_its_setting(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        use_controllers(page)
        slider = page.get_by_role("slider", name="Strength")
        before = slider.input_value()
        learn(page, slider, "Strength")
        assert slider.input_value() == before, "chosen, and not moved"
        page.evaluate("turn(0xb0, 20, 64)")
        page.evaluate("turn(0xb0, 20, 127)")
        wait_for_param(page, echo, "strength", 1)
        learn(page, page.get_by_role("button", name="Panic"), "Panic")
        expect(page.get_by_text("Panic: press P")).to_be_hidden()
        page.evaluate("turn(0x90, 36, 100)")
        page.keyboard.press("Escape")
        expect(page.get_by_text("Click a control")).to_be_hidden()
        page.evaluate("turn(0x90, 36, 100)")
        expect(page.get_by_text("Panic: press P")).to_be_visible()
        page.get_by_role("tab", name="Show").click()
        page.get_by_role("button", name="Forget the knob of Panic").click()
        expect(page.get_by_text("note 1 36")).to_be_hidden()
        assert watched.errors == []


def test_a_key_calls_what_is_ready_made_and_takes_it_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        use_controllers(page)
        page.get_by_text("Motion").click()
        learn(page, page.get_by_role("button", name="Tunnel"), "Tunnel")
        page.evaluate("turn(0x90, 40, 100)")
        page.evaluate("turn(0x90, 40, 100)")
        wait_for_param(page, echo, "feedback", 0.4)
        page.evaluate("turn(0x90, 40, 100)")
        wait_for_param(page, echo, "feedback", 0)
        assert watched.errors == []


def test_a_knob_moves_the_wipe_and_is_known_after_a_reload(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.add_init_script(FAKE_MIDI)
        page.reload()
        start_camera(page)
        page.get_by_role("button", name="Over the input").click()
        page.get_by_role("button", name="Pads", exact=True).click()
        page.get_by_role("button", name="Learn MIDI").click()
        learn(page, page.get_by_role("slider", name="Wipe"), "Wipe or opacity")
        page.evaluate("turn(0xb0, 7, 0)")
        page.evaluate("turn(0xb0, 7, 127)")
        expect(page.get_by_role("slider", name="Wipe")).to_have_value("1")
        page.reload()
        start_camera(page)
        page.wait_for_function("() => navigator.requestMIDIAccess && window.isHeard?.()")
        page.evaluate("turn(0xb0, 7, 0)")
        expect(page.get_by_role("slider", name="Wipe")).to_have_value("0")
        assert watched.errors == []


def test_the_seed_changes_on_the_beat(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("tab", name="Show").click()
        page.get_by_label("On the beat").select_option("New seed")
        page.get_by_label("Every … beats").fill("1")
        tap = page.get_by_role("button", name="Tap", exact=True)
        tap_twice(tap)
        expect(page.get_by_label("Beats a minute")).not_to_have_value("")
        before = param(echo, "seed")
        until(lambda: param(echo, "seed"), lambda seed: seed != before, "the seed changes")


def test_the_server_goes_on_to_a_cue_when_the_page_is_closed(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        prompt(page).fill("one")
        wait_for_param(page, echo, "prompt", "one")
        page.get_by_role("tab", name="Show").click()
        page.get_by_role("button", name="Add this look").click()
        page.get_by_label("Prompt of cue 1").fill("two")
        page.get_by_label("Fade, s").fill("5")
        page.get_by_label("Hold, s").fill("60")
        page.get_by_role("button", name="Play").click()
        blended = until(
            lambda: made_with(echo)["prompt"],
            lambda now: not isinstance(now, str) and len(now) > 1,
            "two prompts are blended",
        )
        on_its_way = session_of(echo)
        assert watched.errors == []
    path = f"sessions/{on_its_way['session']}"
    closed = until(lambda: json.loads(fetched(echo, path)), lambda now: not now["connected"], "the page has gone")
    over = until(lambda: json.loads(fetched(echo, path)), lambda now: now["gliding_s"] == 0, "the way is over")

    assert {each["text"] for each in blended} == {"one", "two"}
    assert on_its_way["params"]["prompt"] == "two"
    assert 0 < closed["gliding_s"] < on_its_way["gliding_s"] < 5
    assert over["params"] == on_its_way["params"]


def made_with(server: ServerProcess) -> dict[str, Any]:
    """The params that the newest picture was made with, as its snapshot tells them."""
    return text_of(fetched(server, f"sessions/{session_of(server)['session']}/snapshot"))["params"]


def fetched(server: ServerProcess, path: str) -> bytes:
    with urlopen(f"{server.url}api/{path}") as answer:
        return answer.read()


def test_a_drawing_goes_on_to_change_while_its_params_glide(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("button", name="Draw").click()
        wait_for_picture_of(page, echo, "seed", 0)
        page.get_by_text("Motion").click()
        page.get_by_role("slider", name="Transition").fill("3")
        wait_for_param(page, echo, "transition_s", 3)
        prompt(page).fill("ink")
        blended = until(lambda: made_with(echo)["prompt"], lambda now: isinstance(now, list), "it glides")
        shares = until(lambda: made_with(echo)["prompt"], lambda now: now not in (blended, ""), "it goes on to glide")
        until(lambda: made_with(echo)["prompt"], lambda now: now == "ink", "the last picture is that of the target")
        assert shares != blended
        assert watched.errors == []


def test_cues_are_called_by_hand_and_by_key(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("tab", name="Show").click()
        for number, text in enumerate(("one", "two", "three"), 1):
            page.get_by_role("button", name="Add this look").click()
            page.get_by_label(f"Prompt of cue {number}").fill(text)
            page.get_by_label("Fade, s").last.fill("0")
            page.get_by_label("Hold, s").last.fill("600")
        page.get_by_role("button", name="Go to cue 2").click()
        wait_for_param(page, echo, "prompt", "two")
        page.keyboard.press("n")
        wait_for_param(page, echo, "prompt", "three")
        page.keyboard.press("n")
        wait_for_param(page, echo, "prompt", "one")
        page.get_by_role("button", name="Move cue 3 up").click()
        expect(page.get_by_label("Prompt of cue 2")).to_have_value("three")
        assert watched.errors == []


def test_a_setting_pulses_with_the_tempo_and_goes_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.get_by_role("tab", name="Show").click()
        tap = page.get_by_role("button", name="Tap", exact=True)
        tap_twice(tap)
        page.get_by_label("Pulse with the tempo").check()
        seen: set[float] = set()

        def seen_so_far() -> set[float]:
            page.wait_for_timeout(50)
            seen.add(param(echo, "strength"))
            return seen

        until(seen_so_far, lambda seen: max(seen) > 0.7 and min(seen) < 0.6 and len(seen) > 3, "it goes up and down")
        page.get_by_label("Pulse with the tempo").uncheck()
        wait_for_param(page, echo, "strength", 0.5)


def test_sound_moves_a_setting_and_gives_it_back(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(FAKE_SOUND)
        page.get_by_role("tab", name="Show").click()
        page.get_by_role("button", name="Listen to the microphone").click()
        page.evaluate("loudness(1)")
        wait_for_param(page, echo, "strength", 0.9)
        page.evaluate("loudness(0)")
        page.locator("#show-sound ~ .tools").get_by_role("button", name="Stop").click()
        wait_for_param(page, echo, "strength", 0.5)


def test_each_band_of_the_sound_moves_a_setting_of_its_own(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        page.evaluate(FAKE_SOUND)  # a tone of 440 Hz
        page.get_by_role("tab", name="Show").click()
        page.get_by_role("button", name="Listen to the microphone").click()
        expect(page.get_by_label("Sound device").locator("option")).not_to_have_count(0)
        band = {name: page.get_by_role("group", name=name, exact=True) for name in ("All", "Low", "Mid", "High")}
        band["All"].get_by_label("They move").select_option("Nothing")
        band["Low"].get_by_label("They move").select_option("Strength")
        band["Mid"].get_by_label("They move").select_option("Amount")
        page.evaluate("loudness(0.5)")
        wait_for_param(page, echo, "amount", 1.8)

        def levels() -> dict[str, float]:
            return {name: one.locator("meter").evaluate("(meter) => meter.value") for name, one in band.items()}

        # Its beginning is a click, which lies in all of them.
        until(levels, lambda seen: seen["Mid"] > 0.9 > 0.05 > max(seen["Low"], seen["High"]), "it lies in the middle")
        wait_for_param(page, echo, "strength", 0.5)
        page.get_by_label("Gain: Mid").fill("0")
        wait_for_param(page, echo, "amount", 1)
        page.locator("#show-sound ~ .tools").get_by_role("button", name="Stop").click()
        assert watched.errors == []


def test_sound_comes_from_the_device_that_was_chosen(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        watched.page.context.grant_permissions(["microphone"])
        page.get_by_role("tab", name="Show").click()
        page.get_by_role("button", name="Listen to the microphone").click()
        device = page.get_by_label("Sound device")
        # Chromium's own fake devices.
        names = until(device.locator("option").all_inner_texts, lambda names: len(names) > 1, "there are several")
        device.select_option(names[-1])
        expect(page.get_by_role("meter", name="Level: All")).to_be_visible()
        expect(page.locator("#show-sound ~ .tools").get_by_role("button", name="Stop")).to_be_visible()
        chosen = device.input_value()
        page.reload()
        page.get_by_role("tab", name="Show").click()
        page.get_by_role("button", name="Listen to the microphone").click()
        expect(device).to_have_value(chosen)
        assert watched.errors == []


def test_the_latency_is_plotted(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.keyboard.press("h")
        page.get_by_text("Latency over the last minute").click()
        expect(page.locator(".plot canvas")).to_be_visible(timeout=SOON_MS)
        expect(page.locator(".plot li", has_text="denoise")).to_have_text(re.compile(r"denoise \d+\.\d"))
        colours = """(plot) => new Set(new Uint32Array(plot.getContext("2d")
            .getImageData(0, 0, plot.width, plot.height).data.buffer)).size"""
        until(
            lambda: page.locator(".plot canvas").evaluate(colours),
            lambda colours: colours > 5,
            "there are bands, lines and words",
        )
        assert watched.errors == [] and watched.foreign_requests == []


@pytest.mark.parametrize(("locale", "word"), [("de-DE", "Einstellungen"), ("fr-FR", "Réglages"), ("ja", "Settings")])
def test_the_page_speaks_the_browsers_language(browser: Browser, echo: ServerProcess, locale: str, word: str) -> None:
    with opened(browser, echo.url, viewport=DESKTOP, locale=locale) as watched:
        expect(watched.page.get_by_role("region", name=word, exact=True)).to_be_visible(timeout=SOON_MS)
        assert watched.page.evaluate("document.documentElement.lang") == (locale[:2] if locale != "ja" else "en")
        assert watched.errors == []


def test_targets_and_what_was_chosen_for_them_are_shown(browser: Browser, echo: ServerProcess) -> None:
    """With a server that has targets: this one's answers are put in its mouth."""
    target = {
        "anyOf": [{"type": "number", "minimum": 10, "maximum": 10_000}, {"type": "null"}],
        "title": "Latency target",
    }
    choice = {"steps": 1, "width": 256, "height": 256, "quality": 70, "latency_ms": 90, "fps": 20}
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page

        sockets: list[WebSocketRoute] = []

        def talk(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()
            server.on_message(socket.send)
            socket.on_message(server.send)
            sockets.append(socket)

        def describe(route: Route) -> None:
            schema = route.fetch().json()
            schema["properties"]["latency_ms"] = target
            route.fulfill(json=schema)

        page.route_web_socket("**/ws*", talk)
        page.route("**/api/params/schema", describe)
        page.reload()
        page.get_by_text("Automatic quality").click()
        # Asked for when the page is connected.
        expect(page.get_by_label("Latency target")).to_have_attribute("placeholder", "none")
        sockets[-1].send(json.dumps({"type": "governor", **choice, "reason": "four steps took 180 ms"}))
        expect(page.get_by_text("Now 1 step, 256×256, quality 70: four steps took 180 ms.")).to_be_visible()


def test_a_target_is_set_missed_in_words_and_taken_away_again(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, echo.url, viewport=DESKTOP) as watched:
        page = watched.page
        start_camera(page)
        page.get_by_text("Automatic quality").click()
        target = page.get_by_label("Latency target")
        target.fill("12")
        target.press("Tab")
        wait_for_param(page, echo, "latency_ms", 12)
        expect(page.locator(".governor")).to_contain_text("out of reach", timeout=SOON_MS)
        target.fill("")
        target.press("Tab")
        wait_for_param(page, echo, "latency_ms", None)
        assert watched.errors == []
