"""Models whose parts are damaged, of another kind, or don't fit each other; and what doesn't fit the machine."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from realtime.errors import FrameError, ParamsError
from realtime.frame import Failure
from realtime.params import Params
from realtime.server.life import _own_defaults
from tests.fakes.frames import a_job

from .case import Case

UNET = "unet/diffusion_pytorch_model.safetensors"


def silent(stage: str, percent: float | None) -> None:
    pass


def load(**config: Any) -> object:
    from huggingface_hub import constants

    from realtime.config import Config, Device
    from realtime.engine.models.load import load_model

    with (
        mock.patch.object(constants, "HF_HUB_CACHE", "my-cache"),
        mock.patch.object(constants, "HF_HUB_OFFLINE", True),
    ):
        return load_model(Config(**{"model": "sd", "vae": "full", "device": Device.CPU, **config}))


def folder(harm: Callable[[Path], object] = lambda folder: None, **config: Any) -> Callable[[], object]:
    """A folder `sd` that something is wrong with, or with its use."""

    def run() -> object:
        from tests import checkpoints

        harm(checkpoints.build_sd(Path("sd")))
        return load(**config)

    return run


def edited(file: str, **fields: object) -> Callable[[], object]:
    """A folder with other fields in a configuration."""

    def harm(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return folder(harm)


def changed(lost: str = "", **more: float) -> Callable[[], object]:
    """A folder whose UNet lacks a weight, or has one more."""

    def harm(folder: Path) -> None:
        import torch
        from safetensors.torch import load_file, save_file

        state = load_file(folder / UNET)
        state.pop(lost, None)
        save_file(state | {name: torch.tensor(value) for name, value in more.items()}, folder / UNET)

    return folder(harm)


def written(file: str, content: bytes) -> Callable[[], object]:
    return folder(lambda folder: (folder / file).write_bytes(content))


def single(*names: str, dtype: str = "float32", **metadata: str) -> Callable[[], object]:
    """A file `my.safetensors` with weights of these names, and what `--model` makes of it."""

    def run() -> object:
        import torch
        from safetensors.torch import save_file

        from realtime.engine.models.single_file import inspect_single_file

        whole = {"model.diffusion_model.input_blocks.0.0.weight": torch.ones(4, 4, 3, 3)}
        state = {name: torch.ones(2, 2, dtype=getattr(torch, dtype)) for name in names}
        save_file((whole if "first_stage_model.x" not in state else {}) | state, "my.safetensors", metadata)
        return inspect_single_file(Path("my.safetensors"))

    return run


def dequantised(**state: Any) -> Callable[[], object]:
    """Quantised weights, as (shape, value) of each tensor."""

    def run() -> object:
        import torch

        from realtime.engine.models.quantised import dequantised

        tensors = {
            name.replace("__", "."): torch.tensor(list(value), dtype=torch.uint8)
            if isinstance(value, bytes)
            else torch.full(*value)
            for name, value in state.items()
        }
        return dequantised(tensors, torch.float32)

    return run


def fitted(channels: int = 4, vae: Any = None, width: int = 32, **unet: Any) -> Callable[[], object]:
    """Parts of different models."""

    def run() -> object:
        from realtime.engine.models.family import SD
        from realtime.engine.models.parts import Parts, check_fit
        from tests import checkpoints

        text_encoder: Any = SimpleNamespace(config=SimpleNamespace(hidden_size=width))
        parts = Parts(SD, checkpoints.tiny_unet(**unet), None, (text_encoder,), (), {})
        return check_fit("my-model", parts, vae or checkpoints.tiny_taesd(latent_channels=channels))

    return run


def deep_autoencoder() -> Callable[[], object]:
    def run() -> object:
        from tests import checkpoints

        deep = {"block_out_channels": (8,) * 5, "down_block_types": ("DownEncoderBlock2D",) * 5}
        vae = checkpoints.tiny_autoencoder_kl(**deep, up_block_types=("UpDecoderBlock2D",) * 5)
        return fitted(vae=vae)()

    return run


def schedule(**config: Any) -> Callable[[], object]:
    def run() -> object:
        from realtime.engine.models.schedules import noise_schedule

        return noise_schedule(config)

    return run


def device(name: str, cuda_version: str | None = None) -> Callable[[], object]:
    """A device that the machine hasn't got."""

    def run() -> object:
        import torch

        from realtime.config import Device
        from realtime.engine.models.load import resolve_device

        with (
            mock.patch.object(torch.cuda, "is_available", lambda: False),
            mock.patch.object(torch.backends.mps, "is_available", lambda: False),
            mock.patch.object(torch.version, "cuda", cuda_version),
        ):
            return resolve_device(Device(name))

    return run


def rung(name: str, device: str = "cpu", error: Exception | None = None) -> Callable[[], object]:
    """A rung that can't run the model."""

    def run() -> object:
        import torch

        from realtime.config import Accelerate
        from realtime.engine.rungs import registry

        model: Any = SimpleNamespace(device=torch.device(device), dtype=torch.float16, exact=True)
        failing = mock.Mock(side_effect=error)
        rungs = tuple(
            replace(each, start=failing, **({"obstacle": lambda _: ""} if error else {})) for each in registry.RUNGS
        )
        with mock.patch.object(registry, "RUNGS", rungs):
            return registry.start(Accelerate(name), model, silent)

    return run


def without_openvino() -> object:
    import torch

    from realtime.engine.rungs.openvino import rung

    with mock.patch.object(rung.importlib.util, "find_spec", lambda name: None):
        return rung.obstacle(SimpleNamespace(dtype=torch.float32, exact=False))  # type: ignore[arg-type]


def unreadable() -> object:
    from realtime.engine.models.components import one_line

    with one_line("my-model"):
        raise PermissionError(errno.EACCES, "Permission denied")


def out_of_memory(error: str) -> Callable[[], object]:
    def run() -> object:
        import torch

        from realtime.engine.models.components import one_line

        with one_line("my-model"):
            raise MemoryError if error == "host" else torch.OutOfMemoryError

    return run


def config_files(names: list[str]) -> object:
    from realtime.engine.models import sources

    return sources.config_files(names)


def card(**fields: object) -> Callable[[], object]:
    """A model's own `realtime.json`."""

    def run() -> object:
        from realtime.engine.models.model_card import read_card

        Path("realtime.json").write_text(json.dumps(fields))
        return read_card(Path())

    return run


def uncompilable() -> object:
    import torch

    from realtime.engine.rungs import compile

    class Broken:
        def example(self, device: object) -> object:
            return ()

    region, model = torch.nn.Identity(), SimpleNamespace(device=torch.device("cpu"), dtype=torch.float32)
    with mock.patch.object(compile, "check", side_effect=RuntimeError("BackendCompilerFailed: ...")):
        return compile._compiled(region, Broken(), model)  # type: ignore[arg-type]


def without_memory() -> str:
    from realtime.engine.diffusion import DiffusionEngine

    engine = mock.Mock(_rows=[])
    (failed,) = DiffusionEngine._fail_all(engine, [a_job()])
    return str(failed.error)


def result(finite: bool = True) -> Callable[[], object]:
    """A frame whose result the engine takes for a failure."""

    def run() -> object:
        import torch

        from realtime.engine.pending import _checked

        return _checked(mock.Mock(finite=finite, picture=torch.zeros(8, 8, 3, dtype=torch.uint8), job=a_job()))

    return run


def uncompiled() -> object:
    from realtime.engine.recipe import Recipes

    recipes: Any = mock.Mock(_compiled=mock.Mock(side_effect=ParamsError("prompt: it is too long", "prompt")))
    return Recipes.get(recipes, Params())


def first_frame(error: FrameError) -> Callable[[], object]:
    """What ends the start of a model whose first frame fails so."""

    def run() -> object:
        from realtime.engine.diffusion import DiffusionEngine

        engine = mock.Mock()
        engine._model.name, engine._model.defaults = "my-model", {}
        engine.backend.prepare.return_value = [1]
        engine._run_grey.return_value = [Failure(a_job(), error)]
        return DiffusionEngine.warm_up(engine)

    return run


def engine_broke() -> str:
    from realtime.scheduling.scheduler import Scheduler

    scheduler = mock.Mock(_in_flight={1: mock.Mock(job=a_job())})
    scheduler._sealing.abandon.return_value = []
    Scheduler.give_up(scheduler)
    return str(scheduler._seats.answer.call_args.args[1].error)


DAMAGED = [
    Case("sd/unet: 1 weights are missing (such as conv_out.weight): fetch it again", "sd", changed("conv_out.weight")),
    Case(
        "sd/unet: 1 of its weights are none that such a network has, such as 'conv_out.scale': it is "
        "quantised, or its config.json is another model's",
        "conv_out.scale",
        changed(**{"conv_out.scale": 1.0}),
    ),
    Case(
        "sd/unet: can't be loaded: it is damaged, or its parts don't fit each other: fetch it again",
        "sd/unet",
        edited("unet/config.json", out_channels="many"),
    ),
    Case(
        "sd/unet: can't be loaded: it is damaged, or its parts don't fit each other: fetch it again",
        "sd/unet",
        edited("unet/config.json", block_out_channels=[32, 96]),
    ),
    Case(
        "sd/tokenizer: can't be loaded: it is damaged, or its parts don't fit each other: fetch it again",
        "tokenizer",
        written("tokenizer/vocab.json", b"{"),
    ),
    Case("my-model: not enough memory: take a smaller model", "my-model", out_of_memory("host")),
    Case("my-model: not enough GPU memory: take a smaller model, or --device cpu", "GPU", out_of_memory("GPU")),
    Case("my-model: can't be read (Permission denied): check its rights and its disk", "my-model", unreadable),
]

OTHER_KINDS = [
    Case(
        "sd/unet/config.json: a 'SD3Transformer2DModel'; this server runs UNet2DConditionModel there: "
        "take another model",
        "SD3Transformer2DModel",
        edited("unet/config.json", _class_name="SD3Transformer2DModel"),
    ),
    Case(
        "sd/vae/config.json: a 'AutoencoderKLWan'; this server runs AutoencoderKL or AutoencoderTiny "
        "there: take another model",
        "AutoencoderKLWan",
        edited("vae/config.json", _class_name="AutoencoderKLWan"),
    ),
    Case(
        "sd/text_encoder: a 't5' text encoder; this server runs those of SD 1.x, 2.x and SDXL: take such a model",
        "'t5'",
        edited("text_encoder/config.json", model_type="t5"),
    ),
    Case(
        "sd: it has no unet: this server runs SD 1.x, SD 2.x and SDXL models",
        "sd",
        folder(lambda folder: shutil.rmtree(folder / "unet")),
    ),
    Case(
        "sd: tokenizer_2 is missing: fetch the model again",
        "sd",
        folder(lambda folder: shutil.copytree(folder / "text_encoder", folder / "text_encoder_2")),
    ),
    Case(
        "its scheduler is FlowMatchEulerDiscreteScheduler: this server runs SD 1.x, SD 2.x and SDXL "
        "models, not flow-matching or EDM ones",
        "FlowMatch",
        schedule(_class_name="FlowMatchEulerDiscreteScheduler"),
    ),
    Case(
        "scheduler_config.json: its prediction_type 'sigma' isn't known here: take another model",
        "'sigma'",
        schedule(prediction_type="sigma"),
    ),
    Case(
        "scheduler_config.json: its beta_schedule 'exponential' isn't known here: take another model",
        "'exponential'",
        schedule(beta_schedule="exponential"),
    ),
    Case(
        "scheduler_config.json: its beta_end is 'much', and a number is wanted: mend it",
        "beta_end",
        schedule(beta_end="much"),
    ),
    Case(
        "scheduler_config.json: its trained_betas are no numbers: fetch it again",
        "trained_betas",
        schedule(trained_betas=["a"]),
    ),
    Case(
        "scheduler_config.json: not a schedule of 1000 rising noise levels: fetch it again",
        "scheduler_config.json",
        schedule(beta_start=1.0, beta_end=-1.0),
    ),
    Case(
        "scheduler_config.json: trained on 200 timesteps; the samplers here take 1000: take another model",
        "200",
        schedule(num_train_timesteps=200),
    ),
]

MISFITS = [
    Case(
        "my-model: an inpainting model can't be used here; take the plain model of its family",
        "my-model",
        fitted(in_channels=9),
    ),
    Case(
        "my-model: a UNet that takes 5 channels can't be used here; take the plain model of its family",
        "my-model",
        fitted(in_channels=5),
    ),
    Case(
        "my-model: its latents have 4 channels and the autoencoder's 16: take another --vae, or `--vae "
        "full` for the model's own",
        "my-model",
        fitted(channels=16),
    ),
    Case("my-model: its autoencoder shrinks by 16, more than 8: take another --vae", "my-model", deep_autoencoder()),
    Case(
        "my-model: its UNet takes inputs that this server does not have: take a plain model",
        "my-model",
        fitted(class_embed_type="timestep"),
    ),
    Case(
        "my-model: the text encoder gives 48 numbers a token and the UNet takes 32: fetch the model again",
        "my-model",
        fitted(width=48),
    ),
]


def single_with_base(base: str) -> Callable[[], object]:
    """A file of SD 1.x with the base that the user names, of which some are there."""

    def run() -> object:
        import torch
        from safetensors.torch import save_file

        from realtime.engine.models.sources import find_source
        from tests import checkpoints

        state = {"cond_stage_model.transformer.text_model.x": torch.ones(2, 2)}
        state["model.diffusion_model.input_blocks.0.0.weight"] = torch.ones(4, 4, 3, 3)
        state["model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"] = torch.ones(2, 32)
        save_file(state, "my.safetensors")
        checkpoints.build_sdxl(Path("sdxl"))
        return find_source("my.safetensors", base, silent, prefer_fp16=False)

    return run


def single_loaded(*names: str, is_cut: bool = False) -> Callable[[], object]:
    """A file of SD 1.x with more weights, or less, than its networks have."""

    def run() -> object:
        import torch

        from realtime.engine.models import single_file
        from realtime.engine.models.family import SD

        from .loras import sd

        if is_cut:
            with single_file._complete(Path("my.safetensors"), "UNet") as check:
                return check(torch.nn.Linear(1, 1, device="meta"))
        file = single_file.SingleFile(Path("my.safetensors"), SD, 4, 32, has_vae=False)
        return single_file._check_leftovers(file, names, sd().unet, None, sd().text_encoders)

    return run


SINGLE_FILES = [
    Case(
        "my.safetensors: a LoRA, not a model: give it with --lora beside a model",
        "my.safetensors",
        single("lora_unet_conv_in.lora_down.weight", "first_stage_model.x"),
    ),
    Case(
        "my.safetensors: one part of a diffusers model; give the folder that it lies in",
        "my.safetensors",
        single("down_blocks.0.conv.weight", "first_stage_model.x"),
    ),
    Case(
        "my.safetensors: not a Stable Diffusion 1.x, 2.x or SDXL model in one file: take one of these",
        "my.safetensors",
        single("double_blocks.0.img_attn.qkv.weight", "first_stage_model.x"),
    ),
    Case("my.safetensors: it has a UNet but no text encoder; a whole model is needed", "my.safetensors", single()),
    Case(
        "my.safetensors: an SDXL refiner; use an SDXL base model",
        "my.safetensors",
        single("conditioner.embedders.0.model.ln_final.weight"),
    ),
    Case(
        "my.safetensors: its noise levels are EDM's (edm_mean), unknown here: take another model",
        "edm_mean",
        single("cond_stage_model.transformer.text_model.x", "edm_mean"),
    ),
    Case(
        "my.safetensors: 'cond_stage_model.transformer.text_model.x' is quantised ('I8'), which this "
        "server can't read: take the unquantised model, or one in fp8",
        "'I8'",
        single("cond_stage_model.transformer.text_model.x", "first_stage_model.q", dtype="int8"),
    ),
    Case(
        "my.safetensors: its _quantization_metadata can't be read: take the unquantised model",
        "_quantization_metadata",
        single("cond_stage_model.transformer.text_model.x", _quantization_metadata="["),
    ),
    Case(
        "my.safetensors: 1 of its weights are none that such a model has, such as "
        "'model.diffusion_model.out.2.scale': it is quantised, or needs another --base",
        "my.safetensors",
        single_loaded("model.diffusion_model.out.2.scale"),
    ),
    Case(
        "my.safetensors: its UNet lacks weights: it is cut short, or needs another --base",
        "UNet",
        single_loaded(is_cut=True),
    ),
    Case(
        "my.safetensors: it is a model of the family sd (text of 32 numbers a token), and the base sdxl "
        "is of sdxl (80): leave --base out, or give one of the same family",
        "sdxl",
        single_with_base("sdxl"),
    ),
    Case(
        "there is no base 'nonsense': give a hub id or a diffusers folder", "'nonsense'", single_with_base("nonsense")
    ),
    Case(
        "not a diffusers folder (model_index.json is missing): give another --base",
        "model_index.json",
        lambda: config_files(["README.md"]),
    ),
]

QUANTISED = [
    Case(
        "'conv.weight_scale' is the scale of a weight that isn't there: take the unquantised model",
        "conv.weight_scale",
        dequantised(conv__weight_scale=((), 1.0)),
    ),
    Case(
        "'conv.weight_scale' has a scale by block ((4, 2) for a weight of (4, 4)): take the unquantised model",
        "conv.weight_scale",
        dequantised(conv__weight=((4, 4), 1.0), conv__weight_scale=((4, 2), 1.0)),
    ),
    Case(
        "'conv.weight_scale' isn't finite: the file is damaged, fetch it again",
        "conv.weight_scale",
        dequantised(conv__weight=((4, 4), 1.0), conv__weight_scale=((), float("nan"))),
    ),
    Case(
        "'conv.comfy_quant' can't be read: take the unquantised model",
        "conv.comfy_quant",
        dequantised(conv__comfy_quant=b"{"),
    ),
    Case(
        "'conv.comfy_quant' is quantised ('nvfp4'), which this server can't read: take the unquantised "
        "model, or one in fp8",
        "nvfp4",
        dequantised(conv__comfy_quant=b'{"format": "nvfp4"}'),
    ),
]

USES = [
    Case("realtime.json: num_inference_steps: must be at most 8, not 99", "realtime.json", card(default_steps=99)),
    Case("sampler: 'heun' is not one of lcm, tcd, euler, euler_a, ddim", "'heun'", folder(sampler="heun")),
    Case("there is no autoencoder 'nonsense': give a hub id, a folder or `full`", "'nonsense'", folder(vae="nonsense")),
    Case(
        "README: there is no autoencoder in it (no config.json): give one's folder or a whole model's",
        "README",
        folder(lambda folder: Path("README").mkdir(), vae="README"),
    ),
    Case(
        "base: only a single .safetensors file needs one, and 'sd' is none: leave --base out", "sd", folder(base="sd")
    ),
    Case(
        "sd has no autoencoder of its own: leave --vae out, or name one",
        "sd",
        folder(lambda folder: shutil.rmtree(folder / "vae")),
    ),
    Case(
        "madebyollin/taesd is not in the local cache and HF_HUB_OFFLINE is set: unset it to download "
        "it; and sd has no autoencoder of its own",
        "sd",
        folder(lambda folder: shutil.rmtree(folder / "vae"), vae=None),
    ),
    Case(
        "vae: the embedded model runs with its own autoencoder only: leave --vae out",
        "vae",
        lambda: load(model="tiny", vae="org/vae"),
    ),
]

MACHINE = [
    Case(
        "device cuda: this torch is built without CUDA: leave --device out, or install torch for your GPU",
        "cuda",
        device("cuda"),
    ),
    Case(
        "device cuda: torch sees no CUDA GPU here: leave --device out, or install torch for your GPU",
        "cuda",
        device("cuda", cuda_version="12.8"),
    ),
    Case("device mps: this machine has no Apple GPU that torch can use: leave --device out", "mps", device("mps")),
    Case(
        "accelerate graphs: it runs on cuda, the model is on cpu; --accelerate auto finds another rung",
        "graphs",
        rung("graphs"),
    ),
    Case(
        "accelerate openvino: openvino reads float32 models, and takes bfloat16 by itself where the CPU "
        "has it; leave --dtype out; --accelerate auto finds another rung",
        "openvino",
        rung("openvino"),
    ),
    Case(
        "accelerate openvino: openvino can't run this model (the log says why); --accelerate auto finds another rung",
        "openvino",
        rung("openvino", error=RuntimeError("Check 'shape' failed\nat src/core.cpp:12")),
    ),
    Case(
        "openvino is not installed: pip install 'realtime-img2img[openvino]' makes it about twice as fast",
        "openvino",
        without_openvino,
    ),
    Case(
        "accelerate compile: it can't run this model (the log says why); --accelerate auto finds another rung",
        "accelerate compile",
        uncompilable,
    ),
]

FRAMES = [
    Case("the device has too little memory for this picture size: take a smaller one", "picture size", without_memory),
    Case(
        "the model's result is not a number: take other params, or start with --dtype float32",
        "not a number",
        result(finite=False),
    ),
    Case("the model's result is black: take other params, or start with --dtype float32", "black", result()),
    Case("these params can't be used: prompt: it is too long", "prompt", uncompiled),
    Case(
        "my-model: a first frame failed (it is black): try --dtype float32 or another --vae",
        "my-model",
        first_frame(FrameError("it is black", "black")),
    ),
    Case(
        "my-model: a first frame failed (it is too large): try a smaller model",
        "my-model",
        first_frame(FrameError("it is too large", "out_of_memory")),
    ),
    Case("the engine broke while it had this frame: send others when it is back", "engine", engine_broke),
    Case(
        "the model's own defaults are no params (strength: must be at most 1, not 7): take another model",
        "strength",
        lambda: _own_defaults(mock.Mock(defaults={"strength": 7})),
    ),
]

CASES = [*DAMAGED, *OTHER_KINDS, *MISFITS, *SINGLE_FILES, *QUANTISED, *USES, *MACHINE, *FRAMES]
