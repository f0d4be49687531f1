"""LoRAs that change while the server runs, learned words and clip skip."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from realtime.config import Config
from realtime.engine.echo import EchoEngine
from realtime.server.engine_state import Changes
from realtime.server.loras import Loras, as_changes

from .case import Case
from .loras import sd


def engine(**model: Any) -> Any:
    from realtime.engine.diffusion import DiffusionEngine
    from tests.engine.tiny_models import RecordingBackend, make_model

    small = replace(make_model(is_shared=True), **model)
    return DiffusionEngine(small, RecordingBackend(small))


def out_of_memory() -> object:
    import torch

    own = mock.Mock(wear=mock.Mock(side_effect=torch.OutOfMemoryError()))
    return engine()._put(own, mock.Mock(), ()).result(0)


def short_memory() -> object:
    from realtime.engine.models import lora_weights
    from realtime.engine.models.lora import ModelLoras
    from tests.engine.lora_files import save_formats

    path = save_formats(Path("loras"))["kohya"]
    parts = sd()
    with mock.patch.object(lora_weights, "_free_host_bytes", lambda: 600):
        return ModelLoras(parts.family, (parts.unet, *parts.text_encoders)).ready([str(path)])


def words(tensors: dict[str, tuple[int, ...]], name: str = "my", token: str = "", **of: Any) -> Callable[[], object]:
    """An embedding `my.safetensors` of these tensors, twice where `of` says `twice`."""

    def run() -> object:
        import torch
        from safetensors.torch import save_file

        from realtime.engine.models.embeddings import EmbeddingSpec, add_embeddings

        path = Path(f"{name}.safetensors")
        save_file({key: torch.full(shape, of.get("value", 1.0)) for key, shape in tensors.items()}, path)
        parts = copy.copy(sd())
        if of.get("takes_none"):
            parts = replace(parts, family=replace(parts.family, takes_embeddings=False))
        return add_embeddings(parts, [EmbeddingSpec(path, token)] * (2 if of.get("twice") else 1))

    return run


def skip(layer: int, own: int = 1) -> Callable[[], object]:
    def run() -> object:
        from realtime.engine.models.clip_skip import hears_layer

        parts = copy.copy(sd())
        return hears_layer(replace(parts, family=replace(parts.family, clip_layer=own)), layer)

    return run


def parse(text: str) -> Callable[[], object]:
    def run() -> object:
        from realtime.engine.models.embeddings import parse_embedding

        return parse_embedding(text)

    return run


def change(**weights: float) -> Callable[[], object]:
    """What somebody is told who changes the LoRAs of a server without a ready engine."""

    async def run() -> None:
        loras = Loras(Config(loras=("ink",)), SimpleNamespace(workers=(), model="tiny", changed=Changes().next))
        loras._all_named = lambda: {f"l{number}": "x" for number in range(20)} | {"ink": "ink"}  # type: ignore[method-assign]
        running = asyncio.ensure_future(loras.run())
        try:
            await loras.change(weights)
        finally:
            running.cancel()

    return run


def remote(*, is_ready: bool) -> Callable[[], object]:
    """A worker on another machine that has no engine, or that is gone."""

    async def run() -> None:
        from realtime.scheduling.suspects import Suspects
        from realtime.server.remote.host import RemoteHost
        from realtime.server.remote.messages import WorkOrder

        gone: Future[Any] = Future()
        gone.set_exception(ConnectionError())
        order = WorkOrder.of(Config(), 20)
        link: Any = mock.Mock(call=lambda method, *arguments: gone)
        host = RemoteHost("gpu-a-0", link, order, lambda life: None, Changes(), Suspects())
        host.life = mock.Mock() if is_ready else None
        await host.ready_loras(())

    return run


NARROW = {"emb_params": (1, 32)}

CASES = [
    Case(
        "models of this family (sd) take no LoRAs: take another --model",
        "--model",
        lambda: engine().ready_loras([]),
    ),
    Case(
        "LoRAs: the device has too little memory to change them: take a smaller one",
        "LoRAs",
        out_of_memory,
    ),
    Case(
        "echo has no weights for LoRAs: take another --model",
        "--model",
        lambda: EchoEngine().ready_loras([]),
    ),
    Case(
        "LoRA loras/kohya.safetensors: what the weights are without it takes 0.0 GB of memory, and 0.0 GB are free: "
        "free some, or take a LoRA of fewer layers",
        "loras/kohya.safetensors",
        short_memory,
    ),
    Case(
        "clip_skip: models of this family (sd) have no choice of layers: leave it out",
        "clip_skip",
        skip(2, own=0),
    ),
    Case("clip_skip: a model of this family (sd) hears layer 1 to 3, not 9", "clip_skip", skip(9)),
    Case(
        "embeddings: 'a b' is no word: write FILE=TOKEN without spaces, brackets and , : |",
        "'a b'",
        parse("my.safetensors=a b"),
    ),
    Case(
        "models of this family (sd) take no embeddings: leave --embedding out",
        "--embedding",
        words(NARROW, takes_none=True),
    ),
    Case(
        "embeddings: two are named 'my': give one of them another, as FILE=TOKEN",
        "'my'",
        words(NARROW, twice=True),
    ),
    Case(
        "embeddings: a prompt can't name 'my (2)': give it a word, as --embedding 'my (2).safetensors=TOKEN'",
        "my (2)",
        words(NARROW, name="my (2)"),
    ),
    Case(
        "embedding my.safetensors: it is no textual inversion (it has 2 tensors, such as a, b): give a file of one",
        "my.safetensors",
        words({"a": (1,), "b": (1,)}),
    ),
    Case(
        "embedding my.safetensors: it is made for a text encoder of width 1024 (SD 2.x), and this model has a text "
        "encoder of width 32: take one for this family",
        "my.safetensors",
        words({"emb_params": (1, 1024)}),
    ),
    Case(
        "embedding my.safetensors: its vectors are no finite numbers, one vector a row: it is damaged, fetch it again",
        "my.safetensors",
        words(NARROW, value=float("nan")),
    ),
    Case(
        "embedding my.safetensors: it has 76 vectors: 1 to 75, as many for each text encoder, are a word",
        "my.safetensors",
        words({"emb_params": (76, 32)}),
    ),
    Case("ink: a weight is a number from -10 to 10", "ink", change(ink=11.0)),
    Case("there is no LoRA 'x' here: --lora and --lora-folder say which there are", "'x'", change(x=1.0)),
    Case("16 LoRAs at most: take one off first", "16", change(**{f"l{number}": 1.0 for number in range(17)})),
    Case("no engine is ready: try again when one is", "engine", change(ink=0.5)),
    Case(
        'the body must be {"loras": {NAME: WEIGHT, …}}; null takes one off',
        "body",
        lambda: as_changes({}),
    ),
    Case(
        "ink: a weight is a number, or null to take it off",
        "ink",
        lambda: as_changes({"loras": {"ink": "much"}}),
    ),
    Case("the worker gpu-a-0 has no engine at the moment: try again when it has", "gpu-a-0", remote(is_ready=False)),
    Case(
        "the worker gpu-a-0 does not change its LoRAs, as it gives no answer: try again when it does",
        "gpu-a-0",
        remote(is_ready=True),
    ),
]
