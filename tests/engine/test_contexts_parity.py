"""Contexts against diffusers: IP-Adapters against its pipelines, normalized attention guidance against the formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from PIL import Image, ImageFilter
from transformers import CLIPImageProcessor

from realtime.engine import Guidance
from realtime.engine.models.ip_adapter.adapter import clip_pixels
from realtime.engine.sampler import Prediction, Sampler
from realtime.pixels import Pixels
from tests.engine.test_parity import NEGATIVE, Case
from tests.engine.tiny_adapters import SIDE, AdapterKind, adapter_weights, make_adapter, make_image_encoder, split
from tests.engine.tiny_models import make_model, make_networks, make_picture

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning:diffusers"),
]

SEEN: dict[str, Pixels] = {f"{n}" * 32: make_picture(20 + n, SIDE, SIDE) for n in range(2)}
IDS = tuple(SEEN)


class PicturedCase(Case):
    """A comparison with an adapter: the engine's model has it, and the pipeline networks of its own with it."""

    def __init__(
        self,
        monkeypatch: Any,
        folder: Path,
        family: str,
        guidance: Guidance = Guidance.NONE,
        kind: AdapterKind = "plain",
    ) -> None:
        super().__init__(monkeypatch, Sampler.LCM, Prediction.EPSILON, family, guidance)
        schedule = self.model.schedule
        unet, vae = make_networks(family)
        adapter = make_adapter(folder, unet, family, kind)
        ours = make_model(family, sampler=Sampler.LCM, guidance=guidance, schedule=schedule)
        self.pictured = replace(ours, unet=unet, vae=vae, ip_adapter=adapter)
        self.scale: Any = 0.6
        self.kind: AdapterKind = kind

    def pipeline(self) -> Any:
        unet, vae = make_networks(self.family)
        self.model = replace(self.model, unet=unet, vae=vae)
        pipeline = super().pipeline()
        encoder = make_image_encoder()
        pipeline.register_modules(
            image_encoder=encoder, feature_extractor=CLIPImageProcessor(size=SIDE, crop_size=SIDE)
        )
        weights = split(adapter_weights(unet, self.kind))
        pipeline.load_ip_adapter(weights, subfolder="", weight_name="", image_encoder_folder=None)
        pipeline.set_ip_adapter_scale(self.scale)
        return pipeline

    def compare(self, references: Sequence[dict[str, Any]], guidance_scale: float = 1.0, n: int = 2, **fields: Any):
        """Both results, of pictures that the pipeline takes in the references' order."""
        pictures = [Image.fromarray(SEEN[one["picture"]]) for one in references]
        theirs, taken = self.diffusers(n, guidance_scale, ip_adapter_image=[pictures])
        self.model = self.pictured
        ours, _ = self.engine(taken, guidance_scale, SEEN, references=references, **fields)
        return ours[None], theirs


@pytest.mark.parametrize("kind", ["plain", "plus"])
@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_a_picture_is_heard_as_in_diffusers_pipeline(
    family: str, kind: AdapterKind, monkeypatch: Any, tmp_path: Path
) -> None:
    case = PicturedCase(monkeypatch, tmp_path, family, kind=kind)

    ours, theirs = case.compare([{"picture": IDS[0], "weight": 0.6}])
    case.model = replace(case.pictured, ip_adapter=None)
    without, _ = case.engine([499, 249], 1.0)

    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert (without[None] - theirs).abs().max() > 0.02


@pytest.mark.parametrize("kind", ["plain", "plus"])
def test_two_pictures_of_one_weight_are_joined_as_in_diffusers(
    kind: AdapterKind, monkeypatch: Any, tmp_path: Path
) -> None:
    case = PicturedCase(monkeypatch, tmp_path, "sd", kind=kind)

    two = [{"picture": name, "weight": 0.6} for name in IDS[:2]]
    ours, theirs = case.compare(two)
    alone, _ = case.engine([499, 249], 1.0, SEEN, references=two[:1])

    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert (alone[None] - theirs).abs().max() > 0.005


@pytest.mark.parametrize("kind", ["plain", "plus"])
@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_second_rows_are_told_of_nothing_as_in_diffusers(
    family: str, kind: AdapterKind, monkeypatch: Any, tmp_path: Path
) -> None:
    case = PicturedCase(monkeypatch, tmp_path, family, Guidance.CFG, kind)

    ours, theirs = case.compare([{"picture": IDS[1], "weight": 0.6}], guidance_scale=3.5)

    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_layers_of_style_are_those_of_instantstyle(monkeypatch: Any, tmp_path: Path) -> None:
    case = PicturedCase(monkeypatch, tmp_path, "sdxl")
    case.scale = {"up": {"block_0": [0.0, 0.8]}}

    ours, theirs = case.compare([{"picture": IDS[0], "weight": 0.8, "layers": "style"}])

    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_pictures_are_cut_as_clip_cuts_them() -> None:
    blurred = Image.fromarray(make_picture(3, 160, 96)).filter(ImageFilter.GaussianBlur(3)).resize((150, 100))
    picture = np.asarray(blurred)
    theirs = CLIPImageProcessor(size=SIDE, crop_size=SIDE)(Image.fromarray(picture), return_tensors="pt").pixel_values

    ours = clip_pixels(picture, SIDE)

    assert theirs.std() > 0.5
    torch.testing.assert_close(ours, theirs, atol=0.03, rtol=0)  # two levels: Pillow rounds twice


class Nag(AttnProcessor2_0):
    """The formula of normalized attention guidance, word for word, inside diffusers' processor."""

    def __init__(self, negative: torch.Tensor, scale: float) -> None:
        super().__init__()
        self.negative, self.scale = negative, scale

    def __call__(self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, *args: Any, **kwargs: Any):
        if encoder_hidden_states is None:
            return super().__call__(attn, hidden_states, *args, **kwargs)
        out, attn.to_out = attn.to_out, torch.nn.ModuleList([torch.nn.Identity(), torch.nn.Identity()])
        positive = super().__call__(attn, hidden_states, encoder_hidden_states)
        negative = super().__call__(attn, hidden_states, self.negative.expand(len(hidden_states), -1, -1))
        attn.to_out = out
        guidance = positive * self.scale - negative * (self.scale - 1)
        ratio = guidance.norm(p=1, dim=-1, keepdim=True) / positive.norm(p=1, dim=-1, keepdim=True)
        guidance = torch.where(ratio > 2.5, guidance / ratio * 2.5, guidance)
        return out[0](0.25 * guidance + 0.75 * positive)


@pytest.mark.parametrize("scale", [1.5, 4.0, 10.0])
@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_normalized_attention_guidance_equals_its_formula(family: str, scale: float, monkeypatch: Any) -> None:
    case = Case(monkeypatch, Sampler.LCM, Prediction.EPSILON, family, Guidance.NONE)
    unet, vae = make_networks(family)
    avoided = case.prompts.encode(NEGATIVE).prompt_embeds
    unet.set_attn_processor(Nag(avoided, scale))
    ours_of = case.model
    case.model = replace(case.model, unet=unet, vae=vae)

    theirs, taken = case.diffusers(2, guidance_scale=1.0)
    case.model = ours_of
    ours, _ = case.engine(taken, 1.0, negative_scale=scale)
    plain, _ = case.engine(taken, 1.0)

    torch.testing.assert_close(ours[None], theirs, atol=1e-4, rtol=0)
    assert (plain - ours).abs().max() > 0.02
