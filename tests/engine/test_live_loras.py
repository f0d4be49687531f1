"""LoRAs that change while the engine runs: bit for bit what is fused at load, and nothing of the old ones is left."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file

from realtime.config import ModelConfig
from realtime.engine.backend import EagerBackend
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.echo import EchoEngine
from realtime.engine.models import lora_weights
from realtime.engine.models.load import Model, load_model
from realtime.engine.rungs.capture import Rerun
from realtime.engine.rungs.graphs import GraphBackend
from realtime.errors import ModelError
from tests import checkpoints, ldm
from tests.engine.lora_files import TO_Q, save_formats
from tests.engine.tiny_models import make_engine, make_job, make_params, picture_of, run

pytestmark = pytest.mark.slow

PARAMS = make_params(prompt="a (red:1.3) house", strength=0.7, num_inference_steps=2)
BLEND = make_params(prompt=[{"text": "a", "weight": 1}, {"text": "b", "weight": 2}], num_inference_steps=1)


class Folder:
    """A model, and LoRAs for it."""

    def __init__(self, path: Path) -> None:
        self.model = checkpoints.build_sd(path / "sd", scheduler=checkpoints.LCM)
        self.loras = save_formats(path / "loras")

    def load(self, loras: Sequence[str] = (), **options: Any) -> Model:
        return load_model(
            ModelConfig(model=str(self.model), loras=tuple(loras), vae="full", sampler="lcm", device="cpu", **options)
        )

    def worn(self, weights: Mapping[str, float]) -> list[str]:
        return [f"{self.loras[name]}:{weight!r}" for name, weight in weights.items()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("live"))


def eager(model: Model) -> DiffusionEngine:
    return DiffusionEngine(model, EagerBackend(model))


def wear(engine: DiffusionEngine, loras: Sequence[str]) -> None:
    engine.ready_loras(loras).put().result(0)


def weights_of(model: Model) -> dict[str, torch.Tensor]:
    networks = {"unet": model.unet, "text": model.prompt_encoder._pairs[0][1]}
    return {f"{name} {key}": one.clone() for name, net in networks.items() for key, one in net.state_dict().items()}


def assert_same(ours: Model, theirs: Mapping[str, torch.Tensor]) -> None:
    for key, weight in weights_of(ours).items():
        assert torch.equal(weight, theirs[key]), key


def pictures(engine: DiffusionEngine) -> npt.NDArray[np.uint8]:
    return np.stack([picture_of(one) for one in run(engine, [make_job(PARAMS, 1), make_job(BLEND, 2)])])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_ten_random_changes_and_back_are_bit_for_bit_what_is_fused_at_load(folder: Folder, dtype: str) -> None:
    dice = random.Random(17)
    engine = eager(model := folder.load(dtype=dtype))
    bare, bare_pictures = weights_of(model), pictures(engine)
    seen = [bare_pictures]

    for _ in range(10):
        names = dice.sample(sorted(folder.loras), dice.randint(1, 4))
        loras = folder.worn({name: round(dice.uniform(-1, 1.5), 2) for name in names})
        wear(engine, loras)
        seen.append(pictures(engine))

        fused = folder.load(loras, dtype=dtype)
        assert_same(model, weights_of(fused))
        assert np.array_equal(seen[-1], pictures(eager(fused))), "what is cached of prompts and timesteps is anew"

    assert all(not np.array_equal(one, other) for one, other in itertools.pairwise(seen))
    wear(engine, [])
    assert_same(model, bare)
    assert np.array_equal(pictures(engine), bare_pictures)


def test_what_the_server_was_started_with_can_be_taken_off(folder: Folder) -> None:
    engine = eager(model := folder.load(folder.worn({"dora": 0.8, "kohya": 1.0})))

    wear(engine, [])

    assert_same(model, weights_of(folder.load()))


def test_a_weight_of_0_is_the_model_without(folder: Folder) -> None:
    engine = eager(model := folder.load())
    bare = weights_of(model)

    wear(engine, folder.worn(dict.fromkeys(folder.loras, 0.0)))

    assert_same(model, bare)


def test_captured_graphs_give_the_new_pictures(folder: Folder) -> None:
    model = folder.load()
    graphs = GraphBackend(EagerBackend(model), Rerun(), 4, torch.device("cpu"))
    engine = DiffusionEngine(model, graphs)
    engine.warm_up()
    before = pictures(engine)
    captured = {id(graph) for size in graphs._sizes._sizes.values() for graph in size.graphs.values()}

    for weights in ({"kohya": 1.0, "full": 0.5}, {"dora": 1.0}, {}):
        wear(engine, folder.worn(weights))
        ours = pictures(engine)
        assert np.array_equal(ours, pictures(eager(folder.load(folder.worn(weights)))))
        assert np.array_equal(ours, before) == (not weights)

    now = {id(graph) for size in graphs._sizes._sizes.values() for graph in size.graphs.values()}
    assert captured and captured <= now, "none was captured again"


def garbage(folder: Path) -> Path:
    (path := folder / "garbage.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{no json at all}")
    return path


def pickled(folder: Path) -> Path:
    torch.save({"a": torch.zeros(1)}, path := folder / "style.pt")
    return path


def for_sdxl(folder: Path) -> Path:
    key = "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q"
    return ldm.save_kohya_lora(folder / "xl.safetensors", ldm.lora_layers({key: (64, 64)}), alpha=1.0)


def too_wide(folder: Path) -> Path:
    layers = {f"unet.{TO_Q}": (64, 64), f"unet.{TO_Q.replace('attn1.to_q', 'attn2.to_k')}": (64, 48)}
    return ldm.save_diffusers_lora(folder / "wide.safetensors", ldm.lora_layers(layers))


def a_checkpoint(folder: Path) -> Path:
    save_file({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(2)}, path := folder / "model.safetensors")
    return path


def missing(folder: Path) -> Path:
    return folder / "gone.safetensors"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (garbage, "not a safetensors file"),
        (pickled, "can run code"),
        (for_sdxl, "made for another model: 1 of its 1 layers"),
        (too_wide, "made for a model of another family"),
        (a_checkpoint, "it is no LoRA"),
        (missing, "there is no LoRA"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_changes_nothing(
    folder: Folder, tmp_path: Path, make: Any, message: str
) -> None:
    path = make(tmp_path)
    good = folder.worn({"kohya": 0.7})
    engine = eager(model := folder.load())
    wear(engine, good)
    before, shown = weights_of(model), pictures(engine)

    with pytest.raises(ModelError, match=message) as refused:
        engine.ready_loras([*good, str(path)])

    assert path.name in str(refused.value)
    assert_same(model, before)
    assert np.array_equal(pictures(engine), shown)
    wear(engine, [])
    assert_same(model, weights_of(folder.load()))


def test_a_weight_that_overflows_is_taken_back(folder: Folder) -> None:
    engine = eager(model := folder.load(dtype="float16"))
    wear(engine, folder.worn({"dora": 0.5}))
    before = weights_of(model)

    change = engine.ready_loras(folder.worn({"dora": 0.6, "kohya": 9e8}))

    with pytest.raises(ModelError, match=r"kohya.*overflows: take a smaller scale"):
        change.put().result(0)
    assert_same(model, before)
    wear(engine, [])
    assert_same(model, weights_of(folder.load(dtype="float16")))


def test_short_memory_is_said_before_anything_is_read_into_it(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_weights, "_free_host_bytes", lambda: 500_000_001)
    engine = eager(model := folder.load())
    before = weights_of(model)

    with pytest.raises(ModelError, match=r"LoRA .*kohya.*takes 0.0 GB of memory, and 0.5 GB are free: free some"):
        engine.ready_loras(folder.worn({"kohya": 1.0}))

    assert_same(model, before)


def test_with_short_memory_those_of_the_start_are_there_for_good(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    loras = folder.worn({"dora": 0.5, "kohya": 0.7})
    wanted = weights_of(folder.load(loras))
    monkeypatch.setattr(lora_weights, "_free_host_bytes", lambda: 500_000_001)

    engine = eager(model := folder.load(loras))

    assert_same(model, wanted)
    assert any("are there for good" in note for note in engine.info.notes)
    with pytest.raises(ModelError, match="are there for good"):
        engine.ready_loras([])


def test_only_layers_that_a_change_concerns_are_written(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = eager(folder.load())
    wear(engine, folder.worn({"full": 1.0, "loha": 1.0}))
    written: list[str] = []
    put = lora_weights.LoraWeights._put

    def seen(self: Any, layers: Any, edits: Any) -> None:
        written.extend(layer.name for layer in layers)
        put(self, layers, edits)

    monkeypatch.setattr(lora_weights.LoraWeights, "_put", seen)
    wear(engine, folder.worn({"full": 1.0, "loha": 0.9}))

    assert written == ["mid_block.attentions.0.transformer_blocks.0.attn2.to_k"]


def test_a_lora_for_another_sampler_is_said_to_be(folder: Folder, tmp_path: Path) -> None:
    path = ldm.save_diffusers_lora(tmp_path / "tcd.safetensors", ldm.lora_layers({f"unet.{TO_Q}": (64, 64)}))

    change = eager(folder.load()).ready_loras([str(path)])

    assert len(change.notes) == 1 and "made for the sampler tcd, and lcm runs" in change.notes[0]


def test_models_that_take_none_say_so(tmp_path: Path) -> None:
    painter = load_model(ModelConfig(model=str(checkpoints.build_painter(tmp_path / "painter")), device="cpu"))
    engine = eager(painter)

    assert not engine.info.takes_loras
    with pytest.raises(ModelError, match=r"of this family \(painter\) take no LoRAs"):
        engine.ready_loras(["a.safetensors"])
    with pytest.raises(ModelError, match="echo has no weights"):
        EchoEngine().ready_loras(["a.safetensors"])
    with pytest.raises(ModelError, match="take no LoRAs"):
        make_engine()[0].ready_loras([])
