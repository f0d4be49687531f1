"""What shows when a model is put together and run: parts that don't fit, the machine, and its first frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

from realtime.errors import FrameError, ParamsError
from realtime.frame import Failure
from realtime.params import Params
from realtime.server.life import _own_defaults
from tests.fakes.frames import a_job

from .case import Case


def silent(stage: str, percent: float | None) -> None:
    pass


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
    from realtime.engine.rows import Entry

    engine = mock.Mock(_rows=[])
    (failed,) = DiffusionEngine._fail_all(engine, [Entry(a_job(), mock.Mock())])
    return str(failed.error)


def result(finite: bool = True) -> Callable[[], object]:
    """A frame whose result the engine takes for a failure."""

    def run() -> object:
        import torch

        from realtime.engine.pending import _checked

        return _checked(mock.Mock(finite=finite, picture=torch.zeros(8, 8, 3, dtype=torch.uint8), job=a_job()))

    return run


def unseen() -> object:
    from realtime.engine.models.prompt import PromptEncoder

    return PromptEncoder._seen(mock.Mock(_pictures=mock.Mock(find=dict[str, object]().get)), "0123")


def without_memory_for_params() -> str:
    import torch

    from realtime.engine.diffusion import DiffusionEngine

    engine = mock.Mock(recipes=mock.Mock(get=mock.Mock(side_effect=torch.OutOfMemoryError)))
    failed: Any = DiffusionEngine._open(engine, a_job())
    return str(failed.error)


def without_memory_for_prompt() -> object:
    import torch

    from realtime.engine.models.encodings import _told

    return str(_told(torch.OutOfMemoryError()))


def variants_without_a_card() -> object:
    import torch

    from realtime.engine.rungs.trials import _asked_for
    from realtime.engine.variants.table import named

    trial: Any = mock.Mock(model=mock.Mock(device=torch.device("cpu"), dtype=torch.float32))
    return _asked_for(trial, named(["fp16-sums"]))


def variants_that_differ() -> object:
    from realtime.engine.rungs import trials
    from realtime.engine.variants.table import named

    trial: Any = mock.Mock(checked=mock.Mock(return_value="differ by 0.02"))
    with mock.patch.object(trials, "obstacle", return_value=""):
        return trials._asked_for(trial, named(["qkv"]))


def hanging() -> str:
    from realtime.server.engine_host import EngineHost
    from realtime.server.engine_state import Away

    host: Any = mock.Mock(_prefix="")
    EngineHost._give_up(host, mock.Mock(), Away("the engine has given no answer for 1.0 s", 0, 0))
    return str(host.error)


def uncompiled() -> object:
    from realtime.engine.recipe import Recipes

    recipes: Any = mock.Mock(_compiled=mock.Mock(side_effect=ParamsError("prompt: it is too long", "prompt")))
    return Recipes.get(recipes, Params())


def first_frame(error: FrameError) -> Callable[[], object]:
    """What ends the start of a model whose first frame fails so."""

    def run() -> object:
        from realtime.engine.diffusion import DiffusionEngine

        engine = mock.Mock()
        engine._model.name, engine._model.defaults, engine._model.nets = "my-model", {}, ()
        engine._default = Params()
        engine.backend.prepare.return_value = [1]
        engine._run_alone.return_value = [Failure(a_job(), error)]
        engine._warm_up = partial(DiffusionEngine._warm_up, engine)
        return DiffusionEngine.warm_up(engine)

    return run


def engine_broke_twice() -> str:
    from realtime.scheduling.suspects import Suspects

    suspects = Suspects(lambda: 1)
    for _ in range(2):
        suspects.broke([a_job()])
    return str(suspects.refusal(a_job()))


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
    Case(
        "prompt: the picture 0123 is not here any more: send it again",
        "0123",
        unseen,
    ),
    Case("these params can't be used: prompt: it is too long", "prompt", uncompiled),
    Case(
        "the device has too little memory for these params: take a smaller picture or a shorter prompt",
        "these params",
        without_memory_for_params,
    ),
    Case(
        "the device has too little memory to encode the prompt or its pictures: take a shorter one, or fewer",
        "the prompt",
        without_memory_for_prompt,
    ),
    Case(
        "variants: fp16-sums can't be used here: for products in float16 on NVIDIA's GPUs: leave it out",
        "fp16-sums",
        variants_without_a_card,
    ),
    Case(
        "variants: results of qkv differ by 0.02: --variants auto takes those that can be used",
        "qkv",
        variants_that_differ,
    ),
    Case(
        "the engine has given no answer for 1.0 s, and none in 30 s more: it hangs in a thread, which can't be ended; "
        "start the server again, with --engine-process to have an engine that hangs replaced",
        "--engine-process",
        hanging,
    ),
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
    Case(
        "the engine broke 2 times in a row on this session's frames: change the params, or wait 10 s",
        "frames",
        engine_broke_twice,
    ),
    Case(
        "the model's own defaults are no params (strength: must be at most 1, not 7): take another model",
        "strength",
        lambda: _own_defaults(mock.Mock(defaults={"strength": 7})),
    ),
]


def prompt_that_breaks_a_tokenizer() -> object:
    import torch

    from realtime.engine.models.prompt import PromptEncoder

    encode = mock.Mock(side_effect=IndexError("index out of range in self"))
    return PromptEncoder((), (), encode_prompt=encode, dtype=torch.float32).encode("a cat")


PROMPTS = [
    Case("prompt: this model can't encode it: write it otherwise", "prompt", prompt_that_breaks_a_tokenizer),
]

CASES = [*MISFITS, *MACHINE, *FRAMES, *PROMPTS]
