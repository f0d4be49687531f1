"""The shipped model folder: what it holds, that it loads offline, and that words, pictures and strength act."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from realtime.config import Config, Device
from realtime.engine.models.family import PAINTER
from realtime.engine.models.load import Model, load_model
from realtime.frame import Format
from realtime.media import codec
from realtime.params import Params
from realtime.prompts import WeightedPrompt
from tests.engine import tiny_models

pytestmark = pytest.mark.slow

MODEL = Path(__file__).parents[3] / "realtime" / "engine" / "models" / "tiny"
Restyle = Callable[..., np.ndarray]
WHOLE = 0.87


def picture() -> np.ndarray:
    """A shaded ball on a striped ground, uint8 [256, 256, 3]."""
    rows, columns = np.mgrid[0:256, 0:256].astype(np.float32) / 255
    image = np.stack([0.4 + 0.5 * rows, 0.5 + 0.3 * columns, 0.9 - 0.5 * rows])
    image[:, rows > 0.7] *= np.where(np.sin(columns * 60) > 0, 1.0, 0.6)[rows > 0.7]
    x, y = (columns - 0.5) / 0.28, (rows - 0.5) / 0.28
    depth = np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
    ball = np.array([0.9, 0.3, 0.2], np.float32)[:, None, None] * (
        0.25 + 0.75 * np.clip(0.6 * depth - 0.4 * x - 0.5 * y, 0, 1)
    )
    image = np.where(depth > 0, ball, image)
    return (image.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0).copy()


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(Config(model="tiny", device=Device.CPU), lambda *what: None)


@pytest.fixture(scope="module")
def restyle(model: Model) -> Restyle:
    """A picture uint8 [H, W, 3], a prompt and params to what the engine makes of them."""
    engine, _ = tiny_models.make_engine(model)

    def run(image: np.ndarray, prompt: Any, strength: float = WHOLE, **params: Any) -> np.ndarray:
        height, width, _ = image.shape
        asked = {"prompt": prompt, "strength": strength, "num_inference_steps": 1, "seed": 1, **params}
        job = tiny_models.make_job(tiny_models.make_params(width=width, height=height, **asked), picture=image)
        return tiny_models.picture_of(*tiny_models.run(engine, [job]))

    return run


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference in grey levels of 255."""
    return float(np.abs(first.astype(int) - second).mean())


def sample(name: str) -> np.ndarray:
    """One of the pictures that came with the model."""
    data = (MODEL / "pictures" / f"{name}.webp").read_bytes()
    return codec.decode(data, Format.WEBP, 256, 256, 1 << 20)


def test_folder_is_small_and_holds_no_pickle() -> None:
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 20_000_000
    networks = {path for path in files if path.parent == MODEL / "openvino"}
    assert {path.suffix for path in {*files} - networks} <= {".safetensors", ".json", ".txt", ".md", ".csv", ".webp"}
    assert {path.suffix for path in networks} == {".bin", ".xml", ".json"}


def test_description_lists_styles_moods_and_pictures() -> None:
    description = json.loads((MODEL / "realtime.json").read_text("utf-8"))
    assert len(description["styles"]) >= 24
    assert len(description["moods"]) >= 5
    assert description["licence"] == "Apache-2.0"
    assert all(style["name"] and style["words"] for style in description["styles"])
    assert len(description["pictures"]) == 12


def test_training_pictures_are_public_domain_or_cc0_or_cc_by() -> None:
    with (MODEL / "DATA.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 100
    for row in rows:
        assert re.fullmatch(r"public-domain|CC0-1\.0|CC-BY-\d\.\d", row["licence"]), row
        assert row["author"] and row["package"], row
    assert not {"astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "china.jpg", "flower.jpg"} & {
        row["picture"] for row in rows
    }


def test_the_server_takes_it_as_its_embedded_model(model: Model) -> None:
    assert (model.name, model.family) == ("tiny", PAINTER)
    assert model.prompt_encoder.hears_pictures
    assert len(model.pictures) == 12
    assert (model.best_steps, model.defaults["num_inference_steps"]) == (1, 1)


def test_plain_slow_tokenizer_files_agree_with_the_fast_one() -> None:
    fast = transformers.CLIPTokenizer.from_pretrained(MODEL / "tokenizer", local_files_only=True)
    vocabulary = json.loads((MODEL / "tokenizer" / "vocab.json").read_text("utf-8"))
    assert fast.get_vocab() == vocabulary
    assert (MODEL / "tokenizer" / "merges.txt").exists()


def test_empty_prompt_stays_near_the_input(restyle: Restyle) -> None:
    assert distance(restyle(picture(), ""), picture()) < 8


def test_words_without_a_style_stay_near_the_input(restyle: Restyle) -> None:
    styled = distance(restyle(picture(), "thermal"), picture())
    assert distance(restyle(picture(), "my neighbour's garden"), picture()) < styled / 3


def test_styles_differ(restyle: Restyle) -> None:
    made = [restyle(picture(), prompt) for prompt in ("neon", "blueprint", "pencil sketch", "gold")]
    assert min(distance(a, b) for i, a in enumerate(made) for b in made[:i]) > 20


def test_synonyms_agree(restyle: Restyle) -> None:
    one, other = restyle(picture(), "blueprint"), restyle(picture(), "an architect plan of my room")
    assert distance(one, other) < distance(one, restyle(picture(), "comic")) / 3


@pytest.mark.parametrize("prompt", ["neon", "thermal", "van gogh", ""])
def test_distance_from_the_input_rises_evenly_with_strength(restyle: Restyle, prompt: str) -> None:
    away = [distance(restyle(picture(), prompt, strength), picture()) for strength in (0.1, 0.35, 0.6, 0.85)]
    rises = np.diff(away)
    if prompt:
        assert rises.min() > 0.4 * rises.max(), away
    else:
        assert max(away) < 8


def test_another_seed_is_another_painting_of_the_same_picture(restyle: Restyle) -> None:
    one, again, other = (restyle(picture(), "van gogh", seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert 3 < distance(one, other) < distance(one, picture())


def test_pictures_are_styles_and_blend_with_words(model: Model, restyle: Restyle) -> None:
    ids = {"e" * 32: sample("ember"), "d" * 32: sample("deep-teal")}
    model.prompt_encoder.look(ids)
    ember, teal = (restyle(picture(), (WeightedPrompt(picture=one),)) for one in ids)
    assert distance(ember, teal) > 20
    assert ember[..., 0].mean() > ember[..., 2].mean() > 0, "a red picture makes red ones"
    words = (WeightedPrompt(text="pencil sketch", weight=1.0), WeightedPrompt(picture="d" * 32, weight=1.0))
    between = restyle(picture(), words)
    assert distance(between, teal) < distance(restyle(picture(), "pencil sketch"), teal)


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("a castle in watercolors with dragons", "watercolour"),
        ("van gogh, kittens", "van gogh"),
        ("my castle", "photo"),
    ],
)
def test_unknown_words_are_named_with_the_style_that_is_heard_instead(model: Model, prompt: str, style: str) -> None:
    (_, note) = model.listener.hear(Params(prompt=prompt)).notes[0]
    assert note.code == "unknown_words"
    assert f"heard as “{style}”" in note.message


def test_other_frame_sizes_work(restyle: Restyle) -> None:
    wide = np.concatenate([picture(), picture()[:, :72]], 1)
    assert restyle(wide, "comic").shape == (256, 328, 3)
