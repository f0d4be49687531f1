"""Who asks too much of what pictures are to look like: reference pictures, hints, params that name them, LoRAs, models.

LoRAs and models are the operator's own to change: he does it as fast as it goes here, with what can't be loaded among
it, and calls it off. Must not know who else is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
from functools import cache

import httpx2
import numpy as np
from PIL import Image
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from realtime.frame import Format
from realtime.protocol import HEADER, REFERENCE, VERSION

from .flooding import TIMEOUT_S, Target, base_of, bomb, flood

FLOODERS = 2
"""Sessions that bring pictures by WebSocket, and name as many as they may."""
SEND_AHEAD = 20
"""Pictures that each sends before it looks whether there are answers."""
SOURCES = 14
"""Of hints: pictures, the input and one that is not there."""
NOBODYS = "0" * 32


async def on_pictures(target: Target) -> None:
    """Pictures for prompts: small, large, bombs and what are none; and looks at them."""
    bodies, ids = itertools.cycle(pictures()), [NOBODYS]

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        if target.dice.random() < 0.3:
            return await http.get(f"/api/pictures/{target.dice.choice(ids)}")
        body = next(bodies) if target.dice.random() < 0.5 else another(target.dice.randrange(2**32))
        answer = await http.put("/api/pictures", content=body)
        if answer.status_code == 200:
            ids[:] = [*ids[-20:], answer.json()["id"]]
        return answer

    await flood(target, "pictures", attempt)


async def on_sockets(target: Target) -> None:
    """Pictures by WebSocket without an end, of which each session names as many as it may."""
    async with asyncio.TaskGroup() as tasks:
        for number in range(FLOODERS):
            tasks.create_task(_bring(target, number))


async def _bring(target: Target, number: int) -> None:
    bodies = itertools.cycle(pictures())
    while True:
        url = f"ws://127.0.0.1:{target.port}/ws?session=flood{number}"
        with contextlib.suppress(OSError, WebSocketException, TimeoutError):
            async with connect(url, proxy=None, max_size=None) as socket, asyncio.TaskGroup() as tasks:
                target.answers["sockets open"] += 1
                reading = tasks.create_task(_read(target, socket))
                for seq in itertools.count():
                    body = next(bodies) if seq % 3 == 0 else another(target.dice.randrange(2**32))
                    head = HEADER.pack(VERSION, max(Format.JPEG, Format.sniff(body)), REFERENCE, seq, 0, 0, 0)
                    await socket.send(head + body)
                    if seq % SEND_AHEAD == 0:
                        await asyncio.sleep(0.05)
                    if reading.done():
                        break
        target.answers["sockets again"] += 1
        await asyncio.sleep(0.1)


async def _read(target: Target, socket: object) -> None:
    """Count what is answered, and name each picture that is kept."""
    ids: list[str] = []
    async for text in socket:  # type: ignore[attr-defined]
        if not isinstance(text, str):
            continue
        match json.loads(text):
            case {"type": "picture", "id": str(name)}:
                ids[:] = [*ids[-15:], name]
                prompt = [{"picture": one, "weight": 1.0} for one in ids[:8]]
                references = [{"picture": one} for one in ids[8:12]]
                control = [{"net": "canny", "source": one} for one in ids[12:]]
                for params in ({"prompt": prompt}, {"references": references}, {"control": control}):
                    await socket.send(json.dumps({"type": "params", "params": params}))  # type: ignore[attr-defined]
                target.answers["sockets picture"] += 1
            case {"type": "error", "code": str(code)}:
                target.answers[f"sockets {code}"] += 1
            case _:
                pass


async def on_hints(target: Target) -> None:
    """What every net is shown of every picture, again and again."""
    nets, ids = await _nets(target), [NOBODYS, "input"]

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        if len(ids) < SOURCES:
            answer = await http.put("/api/pictures", content=another(len(ids)))
            if answer.status_code == 200:
                ids.append(answer.json()["id"])
        query = {"net": target.dice.choice([*nets, "wind", "x" * 3000]), "source": target.dice.choice(ids)}
        return await http.get(f"{target.path}/hint", params=query, timeout=target.dice.choice((0.05, 30.0)))

    await flood(target, "hints", attempt)


async def on_looks(target: Target) -> None:
    """Params that take long to be made ready, and such that are none: prompts, nets, references, sizes."""
    nets = await _nets(target)
    words = ("ink", "mycat", "(mycat:1.3)", "BREAK", "((((", "embedding:mycat", "\U0001f600" * 30, "\0", "a" * 300)

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        dice = target.dice
        prompt = " ".join(dice.choice(words) for _ in range(dice.randrange(1, 80)))
        params = dice.choice((
            {"prompt": prompt},
            {"prompt": [{"text": prompt[:400], "weight": dice.random()} for _ in range(8)]},
            {"negative_prompt": prompt, "negative_scale": dice.choice((1, 3, 10)), "guidance_scale": 4},
            {"control": [{"net": dice.choice(nets), "weight": dice.random()} for _ in range(4)]},
            {"control": [{"net": nets[0], "source": NOBODYS}], "references": [{"picture": NOBODYS}]},
            {"control": [{"net": "x" * 64}] * 4},
            {"control": [[]] * 300},
            {"seed": dice.randrange(2**31), "num_inference_steps": dice.randrange(1, 9), "strength": dice.random()},
            {"transition_s": 60, "prompt": prompt},
            {"width": dice.choice((64, 256, 10**6)), "height": 256},
        ))  # fmt: skip
        return await http.patch(target.path, content=json.dumps({"params": params}))

    await flood(target, "looks", attempt)


async def on_loras(target: Target) -> None:
    """LoRAs added, moved and taken off as fast as it goes; files that are none among them."""
    names = await _names(target, "/api/loras", "available")

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        dice = target.dice
        weights = (None, 0, 0.5, -1, 1.0, 10, 11, "1")
        loras = {dice.choice([*names, "../secret", "x" * 3000]): dice.choice(weights) for _ in range(dice.randrange(4))}
        return await http.patch("/api/loras", content=json.dumps({"loras": loras}))

    await flood(target, "loras", attempt)


async def on_models(target: Target) -> None:
    """Another model again and again, some that are none, called off at any moment."""
    told = await _told(target, "/api/models")
    here = [one["name"] for one in told.get("models", ()) if one["here"]]
    names = ["echo:9", "echo:11"] if str(told.get("model", "")).startswith("echo") else here

    async def attempt(http: httpx2.AsyncClient) -> httpx2.Response:
        dice = target.dice
        await asyncio.sleep(dice.random())
        if dice.random() < 0.3:
            return await http.delete("/api/model")
        name = dice.choice([*names, *names, "nobody", "/etc/passwd", "../tiny"])
        body = {"name": name, "dissolve_s": dice.choice((0, 0.2, 2, 99))}
        return await http.post("/api/model", content=json.dumps(body))

    await flood(target, "models", attempt)


async def _told(target: Target, path: str) -> dict[str, list[dict[str, str]]]:
    while True:
        with contextlib.suppress(httpx2.HTTPError):
            async with httpx2.AsyncClient(base_url=base_of(target), timeout=TIMEOUT_S, trust_env=False) as http:
                return (await http.get(path)).raise_for_status().json()


async def _names(target: Target, path: str, field: str) -> list[str]:
    return [str(one) for one in (await _told(target, path)).get(field) or ()] or ["none"]


async def _nets(target: Target) -> list[str]:
    return [one["name"] for one in (await _told(target, "/api/config")).get("controls") or ()] or ["canny"]


def another(number: int) -> bytes:
    """A small picture like no other."""
    file = io.BytesIO()
    pixels = np.frombuffer(number.to_bytes(4, "little") * 48, np.uint8).reshape(8, 8, 3)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@cache
def pictures() -> list[bytes]:
    """Bodies: as large as they may be, damaged ones, bombs, and what are none."""
    noise = np.random.default_rng(2).integers(0, 255, (800, 800, 3), np.uint8)
    files = [io.BytesIO() for _ in range(3)]
    Image.fromarray(noise).save(files[0], "PNG", compress_level=1)
    Image.fromarray(np.resize(noise, (2048, 2048, 3))).save(files[1], "JPEG", quality=30)
    Image.fromarray(noise[:64, :1]).save(files[2], "WEBP", lossless=True)
    large, smooth, thin = (file.getvalue() for file in files)
    return [
        large,
        smooth,
        thin,
        large[: len(large) // 2],
        smooth[:5000],
        bomb(),
        b"GIF89a" + bytes(100),
        b"",
        bytes(10),
    ]
