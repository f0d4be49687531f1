"""A package of AOTInductor, on the device's own weights, in a graph. Twin of tests/engine/rungs/test_aoti."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from realtime.engine.regions import Kind, Outputs, Regions
from realtime.engine.rungs import aoti, toolchain
from realtime.engine.rungs.exactness import fault
from realtime.engine.rungs.rung import capability_of
from tests.gpu.places import Place

pytestmark = [pytest.mark.slow]

QUICK = {"aot_inductor.precompile_headers": False, "aot_inductor.compile_wrapper_opt_level": "O0"}
"""For one package: optimising what calls the kernels takes longer than it saves."""


@pytest.mark.timeout(280)
def test_package_is_exact_on_the_weights_that_it_is_given_and_can_be_captured(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = place.device
    if obstacle := toolchain.packages_obstacle(device.type, capability_of(device)):
        pytest.skip(obstacle)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    monkeypatch.setitem(aoti.OPTIONS, device.type, {**aoti.OPTIONS[device.type], **QUICK})
    (tmp_path / "driver").mkdir()
    for name in ("CUDA_HOME", "LIBRARY_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    if device.type == "cuda":
        toolchain.name_cuda(tmp_path / "driver")
    region = Regions.of_model(place.model).region(Kind.DECODE)
    latents = torch.randn(2, place.model.latent_channels, 8, 8, generator=torch.Generator().manual_seed(0)).to(device)

    with torch.inference_mode(False):
        aoti.build(region, {"x": latents}, tmp_path / "package.pt2")
    package = aoti.load(tmp_path / "package.pt2", region)

    with torch.inference_mode():
        eager, compiled = region(x=latents), package(x=latents)
        replay = place.capture().capture(lambda: package(x=latents))
        replayed: Outputs = {name: output.clone() for name, output in replay().items()}
        latents.mul_(0.5)
        again, eager_again = replay(), region(x=latents)
    assert fault(compiled, eager, place.precision) == ""
    assert fault(replayed, eager, place.precision) == ""
    assert fault(again, eager_again, place.precision) == "", "it reads the memory that it was captured over"
