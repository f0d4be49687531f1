"""Runs a model folder the way the server does, in fifteen lines of arithmetic: for evaluation and contact sheets.

python scripts/train_tiny/sample.py picture.jpg out.png --prompt "van gogh" --strength 0.5 --steps 1
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderTiny, LCMScheduler, UNet2DConditionModel
from paths import SHIPPED
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer

Pictures = npt.NDArray[np.uint8]


class Sampler:
    """The parts of one model folder, in float32."""

    def __init__(self, folder: Path = SHIPPED) -> None:
        """Load from a folder in the diffusers layout; nothing is downloaded."""
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").float().eval()
        self.vae = AutoencoderTiny.from_pretrained(folder / "vae").float().eval().to(memory_format=torch.channels_last)
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet").float().eval()
        self.alphas_cumprod = LCMScheduler.from_pretrained(folder / "scheduler").alphas_cumprod

    def embed(self, prompts: Sequence[str]) -> torch.Tensor:
        """Prompt embeddings [B, tokens, width]."""
        length = self.text_encoder.config.max_position_embeddings
        ids = self.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        ).input_ids
        return self.text_encoder(ids)[0]

    @torch.no_grad()
    def __call__(
        self,
        pictures: Pictures,
        prompts: Sequence[str],
        strength: float = 0.5,
        steps: int = 1,
        seed: int = 0,
        source: bool = True,
        amount: float = 1.0,
    ) -> Pictures:
        """Restyle uint8 [B, H, W, 3]. `source=False` blanks the source channels: plain image-to-image."""
        x = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
        z = self.vae.encode(x.contiguous(memory_format=torch.channels_last)).latents
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((steps, *z.shape[1:]), generator=generator)
        start = 1000 * strength - 1
        times = [max(0, round(start * (1 - i / steps))) for i in range(steps)]
        alphas = [self.alphas_cumprod[t] for t in times] + [torch.tensor(1.0)]
        embeds, condition = self.embed(prompts), z if source else torch.zeros_like(z)
        y = alphas[0].sqrt() * z + (1 - alphas[0]).sqrt() * noise[0]
        for i, t in enumerate(times):
            v = self.unet(torch.cat([y, condition], 1), torch.full((len(z),), t), embeds).sample
            x0 = amount * (alphas[i].sqrt() * y - (1 - alphas[i]).sqrt() * v) + (1 - amount) * z
            after = noise[i + 1] if i + 1 < steps else torch.zeros_like(noise[0])
            y = alphas[i + 1].sqrt() * x0 + (1 - alphas[i + 1]).sqrt() * after
        decoded = self.vae.decode(y).sample.clamp(-1, 1)
        return ((decoded + 1) * 127.5 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).numpy()

    @torch.no_grad()
    def vae_only(self, pictures: Pictures) -> Pictures:
        """The pictures encoded and decoded: the best the model could do."""
        x = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
        decoded = self.vae.decode(self.vae.encode(x).latents).sample.clamp(-1, 1)
        return ((decoded + 1) * 127.5 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, default=SHIPPED)
    parser.add_argument("--prompt", default="")
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    picture = Image.open(args.picture).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side)).resize((256, 256), Image.Resampling.LANCZOS)
    made = Sampler(args.model)(np.asarray(square)[None], [args.prompt], args.strength, args.steps, args.seed)
    Image.fromarray(made[0]).save(args.out)


if __name__ == "__main__":
    main()
