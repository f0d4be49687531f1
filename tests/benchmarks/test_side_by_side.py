"""benchmarks.server beside others: StreamDiffusion's demo (of which a stand-in is written here), WebSockets, codecs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import comparison
from benchmarks.server import bench, demo, side_by_side
from realtime.bench import pictures, servers
from realtime.bench.errors import BenchError
from realtime.bench.measures import measure
from realtime.bench.pacer import Camera
from tests.fakes.waiting import long_enough

MAIN = """
import asyncio, io, json, uuid
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles
from PIL import Image
from utils.wrapper import StreamDiffusionWrapper
import markdown2

app = FastAPI()
model = StreamDiffusionWrapper()
users = {}

@app.websocket("/api/ws/{user}")
async def receive(user: uuid.UUID, websocket: WebSocket):
    await websocket.accept()
    users[user] = websocket, asyncio.Queue()
    await websocket.send_json({"status": "connected"})
    while True:
        if (await websocket.receive()).get("type") == "websocket.disconnect":
            return
        await websocket.receive_json()
        await users[user][1].put(await websocket.receive_bytes())

@app.get("/api/stream/{user}")
async def stream(user: uuid.UUID):
    async def parts():
        websocket, frames = users[user]
        while True:
            await websocket.send_json({"status": "send_frame"})
            picture = model(Image.open(io.BytesIO(await frames.get())))
            data = io.BytesIO()
            picture.save(data, format="JPEG")
            head = f"Content-Type: image/jpeg\\r\\nContent-Length: {len(data.getvalue())}"
            yield f"--frame\\r\\n{head}\\r\\n\\r\\n".encode() + data.getvalue() + b"\\r\\n"
    return StreamingResponse(parts(), media_type="multipart/x-mixed-replace;boundary=frame")

app.mount("/", StaticFiles(directory="./frontend/public"))
"""
WRAPPER = """
from streamdiffusion import StreamDiffusion
from streamdiffusion.image_utils import postprocess_image

class StreamDiffusionWrapper:
    def __init__(self):
        self.stream = self._load_model("the hub")

    def __call__(self, picture):
        pixels = self.stream.image_processor.preprocess(picture.convert("RGB"), 64, 64)
        return postprocess_image(self.stream(pixels), output_type="pil")[0]

    def _load_model(self, name):
        raise RuntimeError("would be loaded from the hub")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a server of the demo's protocol where the demo is."""
    for name, text in {"demo/realtime-img2img/main.py": MAIN, "utils/wrapper.py": WRAPPER}.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return tmp_path


PART = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\n\r\n12\r\n5\r\n"


@given(st.integers(0, len(PART)))
def test_a_part_is_taken_when_its_last_byte_is_there(cut: int) -> None:
    buffer = bytearray(PART[:cut])
    whole = cut >= len(PART) - 2

    assert demo.take_part(buffer) == (b"12\r\n5" if whole else None)
    assert len(buffer) == (cut - len(PART) + 2 if whole else cut)


async def test_pictures_come_out_of_chunks_that_do_not_keep_to_them() -> None:
    reader = asyncio.StreamReader()
    stream = PART * 3
    for at in range(0, len(stream), 50):
        chunk = stream[at : at + 50]
        reader.feed_data(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
    reader.feed_data(b"0\r\n\r\n")

    assert [picture async for picture in demo.pictures_of(reader)] == [b"12\r\n5"] * 3


def test_a_folder_without_a_demo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no checkout"):
        bench.server_bench(streamdiffusion=tmp_path)


def test_the_demo_by_name_needs_a_checkout() -> None:
    with pytest.raises(BenchError, match="--streamdiffusion"):
        bench.server_bench(only=["demo"])


def test_a_demo_is_run_from_its_checkout_and_its_frames_are_accounted_for(checkout: Path) -> None:
    sent = pictures.photo_jpegs(2, 64, 64)
    cameras = [Camera(20), Camera(120, phase=0.5)]
    with servers.start("benchmarks.server.demo_server", str(checkout), "20") as process:
        found = long_enough(
            lambda seconds: measure(
                asyncio.run(demo.drive_demo(process.url, cameras, sent, warmup_s=0.2, seconds=seconds))
            )
        )

    assert found["clients"] == 2
    assert found["sent"] == found["delivered"] + found["in_flight"]
    assert found["latency_ms"]["p50"] >= 20
    assert found["left_out"] > 0, "a camera of 120 fps is faster than the model"


def test_websocket_and_codec_are_compared_with_their_usual_kind() -> None:
    against = comparison.Comparison(1)
    sent = pictures.photo_jpegs(2)

    side_by_side.measure_websocket(against, sent[0], 0.3)
    side_by_side.measure_codec(against, sent, 0.1)

    assert against.measured["websocket"].keys() == {"ours", "stock"}
    assert against.measured["codec"].keys() == {"ours", "pillow"}
    assert against.targets["websocket_cpu_to_stock"].value < 0.5, "deflate costs many times the rest"
    assert against.targets["codec_cpu_to_pillow"].value > 0
