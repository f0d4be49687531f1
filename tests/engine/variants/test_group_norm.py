"""Triton's kernels for group norm, run by Triton's interpreter and compiled for GPUs that are not there.

Where Triton is not installed, as beside PyTorch for CPUs, there is nothing to run: `pip install --target DIR triton`
and `PYTHONPATH=DIR` bring it. On a GPU they run as they are, see tests/gpu/test_gpu_variants.py.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed"),
]
ROOT = Path(__file__).parents[3]

INTERPRETED = """
import torch, torch.nn.functional as F
from realtime.engine.rungs.exactness import relative_l2
from realtime.engine.variants.group_norm import group_norm
generator = torch.Generator().manual_seed(1)
shapes = {(1, 320, 8, 8): 32, (2, 640, 5, 7): 32, (1, 2560, 4, 4): 32, (1, 1920, 3, 3): 32, (3, 24, 5, 7): 8}
for shape, groups in shapes.items():
    for dtype, limit in ((torch.float32, 1e-6), (torch.float16, 5e-4)):
        x = (5 + 3 * torch.randn(shape, generator=generator)).to(dtype)
        weight, bias = (torch.randn(shape[1], generator=generator).to(dtype) for _ in range(2))
        for silu in (True, False):
            ours = group_norm(x, groups, weight, bias, 1e-5, silu=silu)
            theirs = F.group_norm(x.float(), groups, weight.float(), bias.float(), 1e-5)
            error = relative_l2(ours.float(), F.silu(theirs) if silu else theirs)
            assert error < limit and ours.is_contiguous(memory_format=torch.channels_last), (shape, dtype, silu, error)
far = 1000 + torch.randn(1, 320, 8, 8, generator=generator)
ours = group_norm(far, 32, torch.ones(320), torch.zeros(320), 1e-5, silu=False)
theirs = F.group_norm(far.double(), 32, torch.ones(320).double(), torch.zeros(320).double(), 1e-5)
assert relative_l2(ours, theirs) < 1e-3, "digits cancel"
print("all right")
"""

COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from realtime.engine.variants import group_norm as ours
for capability in (75, 80, 86, 89, 90, 120):
    for width in (10, 80):
        padded = 1 << (width - 1).bit_length()
        shape = dict(GROUPS=32, GROUPS_PADDED=32, WIDTH=width, WIDTH_PADDED=padded, AT_ONCE=ours.TILE // 32 // padded)
        plain = dict(x="*fp16", found="*fp32", pixels="i32", tiles="i32")
        both = dict(x="*fp16", y="*fp16", weight="*fp16", bias="*fp16", found="*fp32", pixels="i32", tiles="i32")
        both |= dict(parts="i32", eps="fp32")
        more = dict(MOST=ours.MOST_PARTS, SILU=True)
        for kernel, signature, constants in ((ours._statistics, plain, shape), (ours._apply, both, shape | more)):
            signature = signature | dict.fromkeys(constants, "constexpr")
            source = ASTSource(kernel, signature, constants)
            target = GPUTarget("cuda", capability, 32)
            found = triton.compile(source, target=target, options={"num_warps": ours.WARPS})
            assert found.asm["cubin"], capability
            print(capability, width, kernel.fn.__name__, found.metadata.shared, "bytes shared")
"""


def ran(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def test_the_interpreter_gives_what_pytorch_gives() -> None:
    done = ran(INTERPRETED, TRITON_INTERPRET="1")

    assert done.stdout == "all right\n", done.stderr


def test_the_kernels_compile_for_every_generation(tmp_path: Path) -> None:
    done = ran(COMPILED, TRITON_CACHE_DIR=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 24
