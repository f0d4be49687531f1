"""A transparent picture on its way to whoever mixes it: the overlay page over a chequerboard, in each transport."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from realtime.client import connect_blocking
from tests.fakes.pictures import Pixels, encoded

from .driver import DESKTOP, SOON_MS, ServerProcess, opened, serving, session_of, until

pytestmark = pytest.mark.browser

SIDE = 256
RED = (200, 40, 40)
HALF_RED_ON_WHITE = (227, 147, 147)
LAY_CHEQUERS = """() => {
    document.documentElement.style.background = "repeating-conic-gradient(#000 0 25%, #fff 0 50%) 0 0 / 32px 32px";
}"""


PREFER = """
const real = RTCPeerConnection.prototype.addTransceiver;
RTCPeerConnection.prototype.addTransceiver = function (...rest) {
    const one = real.apply(this, rest);
    const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
    one.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === "video/%s"));
    return one;
};
"""
CORNERS = """() => {
    const { width, height } = document.querySelector("canvas");
    const at = (x, y) => [...document.querySelector("canvas").getContext("2d").getImageData(x, y, 1, 1).data];
    return [width, height, at(width / 4, height / 4), at(width / 4, height * 3 / 4), at(width * 3 / 4, height / 2)];
}"""
SMALL_TEXTURES = """
const real = WebGLRenderingContext.prototype.getParameter;
WebGLRenderingContext.prototype.getParameter = function (name) {
    return name === this.MAX_TEXTURE_SIZE ? 256 : real.call(this, name);
};
"""


@pytest.fixture(scope="module")
def echo() -> Iterator[ServerProcess]:
    """Restyles nothing; what is opaque in its frames is their matte."""
    with serving("--model", "echo:10", "--ice-address", "127.0.0.1") as server:
        yield server


def half_red(width: int = SIDE, height: int = SIDE) -> bytes:
    """A PNG whose left half is red, half transparent in its lower part, and whose right half is transparent."""
    picture = np.zeros((height, width, 4), np.uint8)
    picture[:, : width // 2] = (*RED, 255)
    picture[height // 2 :, : width // 2, 3] = 128
    return encoded(Image.fromarray(picture), "PNG")


def chequers() -> Pixels:
    y, x = np.mgrid[:SIDE, :SIDE] // 16 % 2
    return np.repeat((255 * (x == y))[..., None], 3, 2).astype(np.uint8)


def seen(page: Page) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


def distances(page: Page) -> dict[str, float]:
    """How far three parts of the page are from what they should show, in levels of 255."""
    shown, behind, red = seen(page).astype(float), chequers().astype(float), np.array(RED, float)
    inner, left, right = slice(24, 104), slice(24, 104), slice(152, 232)
    lower = slice(152, 232)
    return {
        "opaque": np.abs(shown[inner, left] - red).mean(),
        "half transparent": abs(shown[lower, left].std(axis=(0, 1)) - behind[lower, left].std(axis=(0, 1)) / 2).max(),
        "transparent": np.abs(shown[:, right] - behind[:, right]).mean(),
    }


@pytest.mark.parametrize("query", ["", "&transport=webrtc"], ids=["websocket", "webrtc"])
@pytest.mark.parametrize("output_format", ["jpeg", "png"])
def test_overlay_shows_what_lies_under_it(
    browser: Browser, echo: ServerProcess, query: str, output_format: str
) -> None:
    address = echo.url.replace("http", "ws") + "ws"
    fields = {"matte": "drawn", "beyond": "key", "width": SIDE, "height": SIDE, "output_format": output_format}
    with connect_blocking(f"{address}?session=half") as stream:
        stream.update(**fields, skip_unchanged=False)
        stream.restyle(half_red())
        with opened(
            browser, f"{echo.url}overlay?session=half{query}", viewport={"width": SIDE, "height": SIDE}
        ) as overlay:
            overlay.page.evaluate(LAY_CHEQUERS)
            found = until(
                lambda: distances(overlay.page), lambda now: max(now.values()) < 8, "red, half red, and chequers"
            )
            assert overlay.errors == []
    assert found["transparent"] < 3, "nothing of the picture is left where its key is black"


@pytest.mark.parametrize("codec", ["VP8", "H264"])
@pytest.mark.parametrize(("width", "height"), [(1024, 1024), (2048, 256), (512, 2048)])
def test_largest_pictures_and_odd_shapes_come_through_video_with_their_key(
    browser: Browser, echo: ServerProcess, codec: str, width: int, height: int
) -> None:
    address, name = echo.url.replace("http", "ws") + "ws", f"{codec}-{width}-{height}"
    with connect_blocking(f"{address}?session={name}") as stream:
        stream.update(matte="drawn", beyond="key", width=width, height=height)
        stream.restyle(half_red(width, height))
        with opened(browser, "about:blank") as overlay:
            page = overlay.page
            page.add_init_script(PREFER % codec)
            page.goto(f"{echo.url}overlay?session={name}&transport=webrtc")
            seen = until(lambda: page.evaluate(CORNERS), lambda now: now[0] == width and now[2][3] > 0, "a picture")
            assert overlay.errors == []
    assert seen[1] == height
    opaque, half, nothing = (np.array(pixel) for pixel in seen[2:])
    assert np.abs(opaque - (*RED, 255)).max() < 12
    assert np.abs(half - (*HALF_RED_ON_WHITE, 128)).max() < 14
    assert nothing[3] < 4


def test_device_that_cannot_show_so_large_a_transparent_picture_says_so(browser: Browser, echo: ServerProcess) -> None:
    with opened(browser, "about:blank", viewport=DESKTOP) as watched:
        page = watched.page
        page.add_init_script(SMALL_TEXTURES)
        page.goto(echo.url)
        page.get_by_role("button", name="Draw").click()
        fold = page.locator("details", has=page.locator("summary:text-matches('^Only me')"))
        fold.locator("summary").click()
        fold.get_by_label("Restyle").select_option(label="What is drawn")
        fold.get_by_label("Rest of the picture").select_option(label="Nothing: transparent")
        until(lambda: session_of(echo)["params"]["beyond"], lambda now: now == "key", "it is asked for")
        message = page.get_by_text("this device shows transparent pictures of up to 256 × 128 pixels, not 512 × 512")
        expect(message).to_be_visible(timeout=SOON_MS)
