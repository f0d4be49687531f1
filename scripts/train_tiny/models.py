"""The model's parts as diffusers and transformers classes: one place for every size."""

from __future__ import annotations

import torch
from diffusers import AutoencoderTiny, LCMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

LATENT_CHANNELS = 12
TEXT_WIDTH = 128
TOKENS = 24


def autoencoder() -> AutoencoderTiny:
    """8x smaller, no block at full resolution: that keeps 256x256 fast on a CPU. All widths must be equal."""
    vae = AutoencoderTiny(
        latent_channels=LATENT_CHANNELS,
        encoder_block_out_channels=(32, 32, 32, 32),
        decoder_block_out_channels=(32, 32, 32, 32),
        num_encoder_blocks=(0, 1, 2, 3),
        num_decoder_blocks=(4, 3, 1, 0),
        scaling_factor=1.0,
        force_upcast=False,
    )
    for name, module in vae.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu" if "conv." in name else "linear")
            if name.endswith("conv.4"):
                module.weight.data *= 0.25
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    return vae


def unet() -> UNet2DConditionModel:
    """Noisy and source latents side by side in, v out (the InstructPix2Pix layout).

    A style is a property of the whole picture, so most of the text acts by scale and shift in every residual block
    (pooled and added to the time embedding, `addition_embed_type="text"`); cross-attention stays at the coarsest
    level only. With cross-attention at every level a training step took 1.5 times as long.
    """
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=2 * LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(64, 96, 160),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        cross_attention_dim=TEXT_WIDTH,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
        attention_head_dim=4,
        norm_num_groups=16,
        use_linear_projection=True,
    )


def text_encoder(vocabulary: int) -> CLIPTextModel:
    """Two layers; one prompt takes half a millisecond."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=TEXT_WIDTH,
            intermediate_size=3 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            projection_dim=TEXT_WIDTH,
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1,
            hidden_act="gelu",
            attention_dropout=0.0,
        )
    )


def scheduler() -> LCMScheduler:
    """Gentler than Stable Diffusion's schedule: 32x32 latents lose a face sooner than 64x64 ones."""
    return LCMScheduler(
        num_train_timesteps=1000,
        beta_start=0.0001,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        original_inference_steps=50,
        clip_sample=False,
        set_alpha_to_one=True,
        rescale_betas_zero_snr=False,
        timestep_scaling=10.0,
    )
