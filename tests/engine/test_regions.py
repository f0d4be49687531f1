"""The regions' arithmetic, against it written out for one row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from realtime.engine import Guidance
from realtime.engine.backend import EagerBackend
from realtime.engine.denoisers.denoiser import ConcatDenoiser, Conditions, Denoiser
from realtime.engine.diffusion import DiffusionEngine
from realtime.engine.models.depth import DepthEstimator
from realtime.engine.models.pose.detector import PersonDetector
from realtime.engine.models.pose.estimator import PoseEstimator
from realtime.engine.regions import (
    Call,
    EncodeRegion,
    HintRegion,
    Inputs,
    Kind,
    Outputs,
    Regions,
    StepRegion,
    to_pictures,
    to_pixels,
)
from realtime.engine.state import CallShape
from realtime.frame import HINT_VIEW_PX, Result
from realtime.params import Matte
from tests.engine.models.test_depth import tiny as tiny_depth
from tests.engine.tiny_models import FRAME_KINDS, make_job, make_model, make_params, make_picture, run
from tests.engine.tiny_nets import a_net, make_controlnet, make_t2i, make_union_network
from tests.engine.tiny_pose import PERSON, tiny_rtdetr, tiny_vitpose


class Answers(Denoiser):
    """Answers with ten times the sample's first channels, plus what it was told."""

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        return 10 * sample[:, :4] + timestep[:, None, None, None] + conditions["told"][:, :, None, None]


def test_step_of_each_row_is_linear_in_its_own_numbers() -> None:
    x, noise, source, anchor = torch.randn(4, 3, 4, 8, 8).unbind()
    steps = torch.tensor([[i, 0.5, 2.0, 3.0, 0.1 * i, 0.2 * i, 0.3 * i, 4.0, 5.0, 1.0 + i] for i in range(3)])
    told = torch.tensor([[1.0], [2.0], [3.0], [50.0], [60.0]])  # rows, then the second rows of the last two

    outputs = StepRegion(Answers(), guided=2)(x, steps, noise, source, anchor, told=told)
    without = StepRegion(Answers(), guided=2)(x, steps, noise, source, told=told)

    for i in range(3):
        t, kin, kx, km, kz, ks, ka, px, pm, guidance = steps[i]
        first = 10 * kin * x[i] + t + told[i]
        m, next_anchor = first, anchor[i]
        if i > 0:
            second = 10 * kin * x[i] + t + told[2 + i]
            m, next_anchor = second + guidance * (first - second), px * x[i] + pm * second
        expected = kx * x[i] + km * m + kz * noise[i] + ks * source[i]
        torch.testing.assert_close(without["x"][i], expected, atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(outputs["x"][i], expected + ka * anchor[i], atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(outputs["anchor"][i], next_anchor, atol=1e-4, rtol=1e-5)
    assert without.keys() == {"x"}


def test_source_that_counts_for_nothing_changes_no_bit() -> None:
    x, noise, m = torch.randn(3, 2, 4, 8, 8).unbind()
    steps = torch.tensor([[499.0, 0.5, 2.0, 3.0, 0.1, 0.0, 0.0, 4.0, 5.0, 1.0]] * 2)

    class Fixed(Answers):
        takes_source = False

        def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
            return m

    for source in (x, 1e30 * x, -0.0 * x):
        after = StepRegion(Fixed(), guided=0)(x, steps, noise, source, source)["x"]
        assert torch.equal(after, 2.0 * x + 3.0 * m + steps[0, 4] * noise)


class Watching(Answers):
    """Keeps the samples that it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        self.seen.append(sample)
        return super().forward(sample, timestep, conditions)


def test_source_stands_behind_the_noisy_latents_in_second_rows_too() -> None:
    unet = Watching()
    x, steps = torch.ones(2, 4, 8, 8), torch.ones(2, 10)
    source = torch.stack([7 * torch.ones(4, 8, 8), 8 * torch.ones(4, 8, 8)])

    StepRegion(ConcatDenoiser(unet), guided=1)(x, steps, x, source, told=torch.ones(3, 1))

    assert unet.seen[0].shape == (3, 8, 8, 8)
    assert unet.seen[0][:, 4:].amax((1, 2, 3)).tolist() == unet.seen[0][:, 4:].amin((1, 2, 3)).tolist() == [7, 8, 8]


def test_unet_that_does_not_take_the_source_is_not_told_it() -> None:
    class Told(Answers):
        def forward(self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Conditions) -> torch.Tensor:
            assert conditions.keys() == {"told"}
            return super().forward(sample, timestep, conditions)

    x = torch.ones(1, 4, 8, 8)

    StepRegion(Told(), guided=0)(x, torch.ones(1, 10), x, x, told=torch.ones(1, 1))


def test_start_mixes_latents_and_noise_row_by_row() -> None:
    pictures = torch.full((2, 8, 8, 3), 255, dtype=torch.uint8)
    noise, start = torch.randn(2, 3, 8, 8), torch.tensor([[0.5, 2.0], [1.0, 0.0]])

    outputs = EncodeRegion(lambda pixels: pixels)(pictures, start, noise)

    assert (outputs["source"] == 1).all() and (outputs["x"][1] == 1).all()
    torch.testing.assert_close(outputs["x"][0], 0.5 + 2 * noise[0])


def test_every_value_of_a_byte_survives_the_way_to_pixels_and_back() -> None:
    pictures = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).repeat(1, 1, 1, 3)

    assert torch.equal(to_pictures(to_pixels(pictures)), pictures)


def test_a_region_is_made_once() -> None:
    regions = Regions.of_model(make_model())

    assert regions.region(Kind.STEP, 1) is regions.region(Kind.STEP, 1)
    assert regions.region(Kind.STEP, 0) is not regions.region(Kind.STEP, 1)
    assert regions.region(Kind.DECODE, 0, ("x",)) is regions.region(Kind.DECODE, 0, ("x",))


def test_names_of_the_inputs_are_a_region_s_form_in_any_order() -> None:
    columns = {name: [torch.zeros(1)] for name in ("x", "steps", "noise")}
    one, other = Call(Kind.STEP, 64, 64, 1, 0, columns), Call(Kind.STEP, 64, 64, 1, 0, dict(reversed(columns.items())))
    more = Call(Kind.STEP, 64, 64, 1, 0, {**columns, "hint": [torch.zeros(1)]})
    regions = Regions.of_model(make_model())

    assert one.shape == other.shape != more.shape
    assert regions.region_for(one.shape) is regions.region_for(other.shape)
    assert regions.region_for(one.shape) is not regions.region_for(more.shape)


class OnDevice(TorchDispatchMode):
    """Refuses what a CUDA graph can't hold: values that are read back, and the host's memory.

    Tensors without memory stand for the device's. Source: PyTorch's notes on CUDA semantics, "CUDA Graphs".
    """

    READ_BACK = frozenset({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape})

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not self.READ_BACK & set(func.tags), f"{func} can't be captured"
        results = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, results)):
            if isinstance(tensor, torch.Tensor):
                assert tensor.device.type == "meta", f"{func} works in the host's memory"
        self.operations += 1
        return results


def test_what_a_graph_can_not_hold_is_seen() -> None:
    with OnDevice(), pytest.raises(AssertionError, match="host's memory"):
        torch.ones(1)
    x = torch.ones(2, device="meta")
    with OnDevice(), pytest.raises(AssertionError, match="can't be captured"):
        x.max().item()
    with OnDevice(), pytest.raises(AssertionError, match="can't be captured"):
        x[x > 0]


@pytest.mark.parametrize(
    "options",
    [
        {"guidance": Guidance.CFG},
        {"guidance": Guidance.EMBEDDED},
        {"family": "sdxl"},
        {"concat_source": True, "latent_channels": 8},
    ],
)
@pytest.mark.parametrize("is_folded", [True, False])
@pytest.mark.slow
def test_no_region_leaves_the_device(options: dict[str, Any], is_folded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.engine.regions.is_foldable", lambda unet: is_folded)
    channels = options.get("latent_channels", 4)
    family = options.get("family", "sd")
    nets = (
        a_net(make_controlnet(family, in_channels=channels), "canny"),
        a_net(make_union_network(family, in_channels=channels), "union"),
        a_net(make_t2i(), "t2i"),
    )
    model = make_model(**options, nets=nets)
    backend = EagerBackend(model)
    calls: list[tuple[CallShape, Inputs]] = []

    def answer(call: CallShape, inputs: Inputs) -> Any:
        calls.append((call, inputs))
        return backend.regions.region_for(call)

    monkeypatch.setattr(backend, "answer", answer)
    control = [{"net": name} for name in ("canny", "union/depth", "t2i")]
    params = make_params(num_inference_steps=2, guidance_scale=3.0, matte=Matte.PERSON, control=control)
    (made,) = run(DiffusionEngine(model, backend), [make_job(params)])
    assert isinstance(made, Result)

    operations: dict[str, int] = {}
    for call, inputs in calls:
        region = backend.regions.region_for(call).to("meta")
        on_meta = {name: tensor.to("meta") for name, tensor in inputs.items()}
        with torch.no_grad(), OnDevice() as device:  # inference mode would show less of what is called
            results: Outputs = region(**on_meta)
        operations[call.kind] = device.operations
        assert all(result.device.type == "meta" for result in results.values())
    of_nets = {"embed/canny", "embed/union", "embed/t2i", "control/canny", "control/union"}
    assert operations.keys() == {*FRAME_KINDS, Kind.MATTE, *of_nets} and min(operations.values()) > 3


@pytest.mark.parametrize("finds_people", [False, True])
def test_no_hint_leaves_the_device_while_it_is_made(finds_people: bool) -> None:
    detector = PersonDetector(tiny_rtdetr(), PERSON) if finds_people else None
    pictures = torch.from_numpy(np.stack([make_picture(seed, 128, 96) for seed in (1, 2)]))
    for estimate in (PoseEstimator(tiny_vitpose(), detector), DepthEstimator(tiny_depth())):
        region = HintRegion(estimate.eval())
        with torch.inference_mode():
            here = region(pictures)
        region, on_meta = region.to("meta"), pictures.to("meta")
        with torch.no_grad(), OnDevice() as device:
            there = region(on_meta)
        assert device.operations > 30
        assert {name: (one.shape, one.dtype) for name, one in here.items()} == {
            name: (one.shape, one.dtype) for name, one in there.items()
        }
        assert here["pictures"].shape == here["views"].shape == (2, 96, 128, 3)


def test_views_of_hints_are_small() -> None:
    class Same(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1)

    picture = np.zeros((256, 512, 3), np.uint8)
    picture[:, :256] = 200

    made = HintRegion(Same())(torch.from_numpy(picture)[None])

    np.testing.assert_array_equal(made["pictures"][0].numpy(), picture)
    assert made["views"].shape == (1, HINT_VIEW_PX // 2, HINT_VIEW_PX, 3) and made["views"].dtype is torch.uint8
    left, right = made["views"][0, :, :90], made["views"][0, :, 102:]
    assert left.min() == left.max() == 200 and not right.any()
