"""The shipped model folder: what it holds, that it loads offline, and that prompt and strength act."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

MODEL = Path(__file__).parents[3] / "realtime" / "engine" / "models" / "tiny"
Restyle = Callable[..., np.ndarray]


def picture() -> np.ndarray:
    """A shaded ball on a striped ground, float32 [1, 3, 256, 256] in [-1, 1]."""
    rows, columns = np.mgrid[0:256, 0:256].astype(np.float32) / 255
    image = np.stack([0.4 + 0.5 * rows, 0.5 + 0.3 * columns, 0.9 - 0.5 * rows])
    image[:, rows > 0.7] *= np.where(np.sin(columns * 60) > 0, 1.0, 0.6)[rows > 0.7]
    x, y = (columns - 0.5) / 0.28, (rows - 0.5) / 0.28
    depth = np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
    ball = np.array([0.9, 0.3, 0.2], np.float32)[:, None, None] * (
        0.25 + 0.75 * np.clip(0.6 * depth - 0.4 * x - 0.5 * y, 0, 1)
    )
    image = np.where(depth > 0, ball, image)
    return (image * 2 - 1)[None].astype(np.float32)


@pytest.fixture(scope="module")
def restyle() -> Restyle:
    """The server's loop in miniature: pictures in, picture out, both [1, 3, H, W] in [-1, 1]."""
    offline = {"local_files_only": True}
    tokenizer = transformers.CLIPTokenizer.from_pretrained(MODEL / "tokenizer", **offline)
    encoder = transformers.CLIPTextModel.from_pretrained(MODEL / "text_encoder", **offline).float().eval()
    vae = diffusers.AutoencoderTiny.from_pretrained(MODEL / "vae", **offline).float().eval()
    unet = diffusers.UNet2DConditionModel.from_pretrained(MODEL / "unet", **offline).float().eval()
    alphas = diffusers.LCMScheduler.from_pretrained(MODEL / "scheduler", **offline).alphas_cumprod
    assert unet.config.in_channels == 2 * vae.config.latent_channels

    @torch.no_grad()
    def run(image: np.ndarray, prompt: str, strength: float, steps: int = 1) -> np.ndarray:
        ids = tokenizer(prompt, padding="max_length", truncation=True, return_tensors="pt").input_ids
        embeds = encoder(ids)[0]
        z = vae.encode(torch.from_numpy(image)).latents
        noise = torch.randn((steps + 1, *z.shape[1:]), generator=torch.Generator().manual_seed(0))
        times = [round((1000 * strength - 1) * (1 - i / steps)) for i in range(steps)]
        a = [alphas[t] for t in times] + [torch.tensor(1.0)]
        y = a[0].sqrt() * z + (1 - a[0]).sqrt() * noise[0]
        for i, t in enumerate(times):
            v = unet(torch.cat([y, z], 1), t, embeds).sample
            y = a[i + 1].sqrt() * (a[i].sqrt() * y - (1 - a[i]).sqrt() * v) + (1 - a[i + 1]).sqrt() * noise[i + 1]
        return vae.decode(y).sample.clamp(-1, 1).numpy()

    return run


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference in grey levels of 255."""
    return float(np.abs(first - second).mean() * 127.5)


def test_folder_is_small_and_holds_no_pickle() -> None:
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 20_000_000
    networks = {path for path in files if path.parent == MODEL / "openvino"}
    assert {path.suffix for path in {*files} - networks} <= {".safetensors", ".json", ".txt", ".md", ".csv"}
    assert {path.suffix for path in networks} == {".bin", ".xml", ".json"}


def test_index_names_ordinary_diffusers_classes() -> None:
    index = json.loads((MODEL / "model_index.json").read_text("utf-8"))
    assert index["_class_name"] == "StableDiffusionPipeline"
    for part, (library, name) in ((key, value) for key, value in index.items() if isinstance(value, list) and value[0]):
        assert hasattr({"diffusers": diffusers, "transformers": transformers}[library], name), part


def test_description_lists_styles_and_moods() -> None:
    description = json.loads((MODEL / "realtime.json").read_text("utf-8"))
    assert len(description["styles"]) >= 16
    assert len(description["moods"]) >= 5
    assert description["licence"] == "Apache-2.0"
    assert all(style["name"] and style["words"] for style in description["styles"])


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


def test_the_server_takes_it_as_its_embedded_model() -> None:
    from realtime.config import Config, Device
    from realtime.engine.models.load import load_model

    model = load_model(Config(model="tiny", device=Device.CPU), lambda *what: None)

    assert model.name == "tiny"


def test_plain_slow_tokenizer_files_agree_with_the_fast_one() -> None:
    fast = transformers.CLIPTokenizer.from_pretrained(MODEL / "tokenizer", local_files_only=True)
    vocabulary = json.loads((MODEL / "tokenizer" / "vocab.json").read_text("utf-8"))
    assert fast.get_vocab() == vocabulary
    assert (MODEL / "tokenizer" / "merges.txt").exists()


@pytest.mark.slow
def test_empty_prompt_at_low_strength_stays_near_the_input(restyle: Restyle) -> None:
    assert distance(restyle(picture(), "", 0.2), picture()) < 10


def test_words_without_a_style_stay_near_the_input(restyle: Restyle) -> None:
    styled = distance(restyle(picture(), "thermal", 0.5), picture())
    assert distance(restyle(picture(), "my neighbour's garden", 0.5), picture()) < styled / 3


@pytest.mark.slow
def test_styles_differ(restyle: Restyle) -> None:
    made = [restyle(picture(), prompt, 0.5) for prompt in ("neon", "blueprint", "pencil sketch", "gold")]
    assert min(distance(a, b) for i, a in enumerate(made) for b in made[:i]) > 20


def test_synonyms_agree(restyle: Restyle) -> None:
    one, other = restyle(picture(), "blueprint", 0.5), restyle(picture(), "an architect plan of my room", 0.5)
    assert distance(one, other) < distance(one, restyle(picture(), "comic", 0.5)) / 3


@pytest.mark.parametrize("prompt", ["neon", "thermal", "comic"])
@pytest.mark.slow
def test_strength_moves_away_from_the_input(restyle: Restyle, prompt: str) -> None:
    away = [distance(restyle(picture(), prompt, strength), picture()) for strength in (0.1, 0.3, 0.5, 0.9)]
    assert away[0] < away[1] < away[2]
    assert away[3] > 0.95 * away[2]


def test_more_steps_keep_the_look(restyle: Restyle) -> None:
    one, four = restyle(picture(), "thermal", 0.5, 1), restyle(picture(), "thermal", 0.5, 4)
    assert distance(one, four) < distance(one, picture()) / 2


def test_other_frame_sizes_work(restyle: Restyle) -> None:
    wide = np.concatenate([picture(), picture()[..., :64]], -1)
    assert restyle(wide, "comic", 0.5).shape == (1, 3, 256, 320)
