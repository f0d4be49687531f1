"""What a device's memory decides, on one that says how much it has. Real shapes lie there without their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from benchmarks.engine.models import SHAPES
from realtime.config import Config
from realtime.engine import device_memory, diffusion
from realtime.engine.device_memory import (
    BUILDER_BYTES,
    COMFORT_BYTES,
    RESERVE_BYTES,
    ROW_BYTES,
    DeviceRoom,
    builder_obstacle,
    give_back,
    must_visit,
    room_beside,
    sizes_with_graphs,
    weights_bytes,
)
from realtime.engine.diffusion import DiffusionEngine, load_diffusion_engine
from realtime.engine.models import load
from realtime.engine.models.load import VISITING, Model, load_model
from realtime.engine.models.visiting import Visit
from realtime.engine.regions import Call, Outputs
from realtime.engine.rungs import registry
from realtime.engine.rungs.rung import Start
from realtime.frame import Result
from tests.checkpoints import build_sd, build_sdxl
from tests.engine.tiny_models import RecordingBackend, make_job, make_model, make_params, run

GPU = torch.device("cuda")


def has_free(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    monkeypatch.setattr(device_memory, "free_bytes", lambda device: free)  # pyright: ignore


def test_weights_that_are_shared_count_once() -> None:
    layer = torch.nn.Linear(3, 5)

    assert weights_bytes((layer, torch.nn.Sequential(layer, torch.nn.BatchNorm1d(5)))) == 4 * (15 + 5 + 4 * 5) + 8


def test_a_builder_needs_room_for_a_second_model(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = (torch.nn.Linear(1000, 1000),)
    needed = weights_bytes(networks) + BUILDER_BYTES

    has_free(monkeypatch, needed)
    assert builder_obstacle(GPU, networks) == ""
    has_free(monkeypatch, needed - 1)
    assert builder_obstacle(GPU, networks) == "its builder takes 1.1 GB of the GPU's memory, and 1.1 GB are free"
    has_free(monkeypatch, None)
    assert builder_obstacle(GPU, networks) == ""


class Card:
    """A device with so much memory, on which networks lie without their numbers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.total = 0
        self.networks: list[torch.nn.Module] = []
        freeze = load._freeze

        def noted(network: torch.nn.Module, *others: Any) -> None:
            self.networks.append(network)
            freeze(network, *others)

        monkeypatch.setattr(load, "resolve_device", lambda device: torch.device("meta"))  # pyright: ignore
        monkeypatch.setattr(load, "_freeze", noted)
        monkeypatch.setattr(device_memory, "free_bytes", lambda device: self.total - self.used)  # pyright: ignore

    @property
    def used(self) -> int:
        there = [one for one in self.networks if next(one.parameters()).device.type == "meta"]
        return weights_bytes(there)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(monkeypatch)


def encoders(model: Model) -> list[Any]:
    return [encoder for _, encoder in model.prompt_encoder._pairs]


def test_the_builders_model_has_no_text_encoders_on_the_device(tmp_path: Path, card: Card) -> None:
    card.total = 2**40
    model = load_model(Config(model=str(build_sd(tmp_path / "sd")), vae="full"), hears=False)

    assert (model.unet.device.type, model.vae.device.type) == ("meta", "meta")
    assert [encoder.device.type for encoder in encoders(model)] == ["cpu"]


def test_text_encoders_leave_a_device_whose_memory_is_short(tmp_path: Path, card: Card) -> None:
    config = Config(model=str(build_sdxl(tmp_path / "sdxl")), vae="full")
    card.total = 2**40
    large = load_model(config)
    whole = weights_bytes((large.unet, large.vae, *encoders(large)))
    card.networks.clear()
    card.total = whole + COMFORT_BYTES - 1

    model = load_model(config)

    assert large.visiting_bytes == 0 and VISITING not in large.notes
    assert [encoder.device.type for encoder in encoders(large)] == ["meta", "meta"]
    assert VISITING in model.notes
    assert model.visiting_bytes == max(weights_bytes([encoder]) for encoder in encoders(model))
    assert [encoder.device.type for encoder in encoders(model)] == ["cpu", "cpu"]
    with torch.inference_mode():
        heard = model.prompt_encoder.encode("a (cat:1.2)")
    assert heard.prompt_embeds.device.type == "meta", "it was encoded there"
    assert [encoder.device.type for encoder in encoders(model)] == ["cpu", "cpu"]


def test_a_network_that_visits_gives_what_it_gave(tmp_path: Path) -> None:
    model = load_model(Config(model=str(build_sdxl(tmp_path / "sdxl")), vae="full", device="cpu"))
    texts = ("a cat", "a (dog:1.3) BREAK in the sun")
    expected = [model.prompt_encoder._encode_text(text).prompt_embeds for text in texts]

    for encoder in encoders(model):
        Visit(encoder, torch.device("cpu"))

    with torch.inference_mode():
        found = [model.prompt_encoder._encode_text(text).prompt_embeds for text in texts]
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_network_goes_home_where_its_call_fails() -> None:
    network = torch.nn.Linear(2, 3).requires_grad_(False)
    weight = network.weight
    Visit(network, torch.device("meta"))

    with pytest.raises(RuntimeError):
        network(torch.ones(1, 5))

    assert network.weight is weight


def real(name: str) -> tuple[list[torch.nn.Module], list[torch.nn.Module]]:
    """UNet and autoencoder, and the text encoders, of a published model's shape in half precision."""
    with torch.device("meta"):
        unet, vae = UNet2DConditionModel(**SHAPES[name].unet), AutoencoderTiny()
        heard = [
            CLIPTextModel(
                CLIPTextConfig(
                    hidden_size=width,
                    num_hidden_layers=layers,
                    num_attention_heads=heads,
                    intermediate_size=inner,
                    hidden_act=activation,
                )
            )
            for width, layers, heads, inner, activation in SHAPES[name].text
        ]
    return [unet.half(), vae.half()], [one.half() for one in heard]


@pytest.mark.parametrize(
    ("name", "gib", "is_visited", "rows_512", "rows_1024", "may_build"),
    [
        ("sd-turbo", 4, True, 2, 1, False),
        ("sd-turbo", 8, False, 8, 4, True),
        ("sdxl-turbo", 8, True, 2, 1, False),
        ("sdxl-turbo", 12, False, 8, 4, False),
        ("sdxl-turbo", 24, False, 8, 8, True),
    ],
)
def test_a_model_is_served_as_large_as_the_card_allows(
    name: str,
    gib: int,
    is_visited: bool,
    rows_512: int,
    rows_1024: int,
    may_build: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beside the context and a desktop, which take 0.7 GB together."""
    (networks, heard), total = real(name), gib * 2**30 - 700_000_000
    has_free(monkeypatch, total - weights_bytes(networks))
    assert must_visit(GPU, heard) is is_visited
    visiting = max(map(weights_bytes, ([one] for one in heard))) if is_visited else 0
    there = networks if is_visited else [*networks, *heard]
    has_free(monkeypatch, total - weights_bytes(there))

    room = room_beside(GPU, torch.float16, is_tiny=True, visiting_bytes=visiting)

    assert (room.rows(8, 512**2), room.rows(8, 1024**2)) == (rows_512, rows_1024)
    assert (builder_obstacle(GPU, networks) == "") is may_build


def test_a_full_autoencoder_and_float32_take_more(monkeypatch: pytest.MonkeyPatch) -> None:
    has_free(monkeypatch, RESERVE_BYTES + 16 * ROW_BYTES)

    def rows(dtype: torch.dtype, is_tiny: bool, visiting_bytes: int = 0) -> int:
        return room_beside(GPU, dtype, is_tiny=is_tiny, visiting_bytes=visiting_bytes).rows(64, 512**2)

    assert [rows(torch.float16, True), rows(torch.float32, True), rows(torch.float16, False)] == [16, 8, 4]
    assert rows(torch.float16, True, visiting_bytes=4 * ROW_BYTES) == 12
    has_free(monkeypatch, 0)
    assert rows(torch.float16, True) == 1, "it is tried"
    has_free(monkeypatch, None)
    assert rows(torch.float16, True) == 64


def test_larger_pictures_are_offered_than_should_fit_but_none_of_any_size() -> None:
    assert DeviceRoom().max_output_pixels(None, 512**2) is None and DeviceRoom().max_output_pixels(7, 512**2) == 7
    assert DeviceRoom(600**2).max_output_pixels(None, 512**2) == 2 * 600**2
    assert DeviceRoom(600**2).max_output_pixels(512**2, 512**2) == 512**2
    assert DeviceRoom(0).max_output_pixels(None, 512**2) == 512**2


def test_fewer_sizes_have_graphs_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list[int]()
    for free in (None, 80e9, 2.6e9, 0):
        has_free(monkeypatch, None if free is None else int(free))
        kept.append(sizes_with_graphs(GPU, 16))

    assert kept == [16, 16, 4, 2]


class Limited(RecordingBackend):
    """Runs out of memory with more than three rows of 64x64 in a call."""

    def run(self, call: Call) -> Outputs:
        if (call.plain + call.guided) * call.width * call.height > 3 * 64 * 64:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().run(call)


def test_an_engine_has_as_many_rows_as_its_device_has_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = make_model(is_shared=True), list[int]()

    def start(accelerate: Any, model: Model, progress: Any, max_rows: int, **options: Any) -> Start:
        asked.append(max_rows)
        return Start(Limited(model))

    monkeypatch.setattr(load, "load_model", lambda *args: model)  # pyright: ignore
    monkeypatch.setattr(registry, "start", start)
    has_free(monkeypatch, RESERVE_BYTES + 3 * 2 * ROW_BYTES // 64 + 1)  # float32, and 64 times fewer pixels

    engine = load_diffusion_engine(Config(max_rows=8), lambda *what: None)

    assert asked == [3] and engine.free_rows == 3
    assert engine.info.batches.most_work == 3 * 64 * 64
    assert engine.info.max_output_pixels == 6 * 64 * 64
    outcomes = run(engine, [make_job(make_params(), seed) for seed in range(3)])
    assert all(isinstance(outcome, Result) for outcome in outcomes)
    engine.close()


def test_what_the_warm_up_took_is_given_back_before_a_builder_asks_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    model, order = make_model(is_shared=True), list[str]()

    class Noting(RecordingBackend):
        def prepared(self) -> None:
            order.append("prepared")

    monkeypatch.setattr(diffusion, "give_back", lambda device: order.append("given back"))  # pyright: ignore
    engine = DiffusionEngine(model, Noting(model))

    engine.warm_up()

    assert order == ["prepared", "given back"]


def test_only_a_gpus_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append("cuda"))

    for name in ("cpu", "mps", "cuda"):
        give_back(torch.device(name))

    assert emptied == ["cuda"]


def test_an_engine_on_another_device_has_the_rows_that_it_is_given() -> None:
    assert room_beside(torch.device("cpu"), torch.float32, is_tiny=True, visiting_bytes=0) == DeviceRoom()
    model = make_model(is_shared=True)
    assert DiffusionEngine(model, RecordingBackend(model)).free_rows == 8
