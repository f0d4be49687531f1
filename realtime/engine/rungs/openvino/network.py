"""One network compiled by OpenVINO: with dynamic shapes, and besides with fixed ones for signatures in use.

Must not know models, or which signatures are worth it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from ...regions import Kind, Outputs, Run
from ...state import CallShape
from ..specialise import Demand, Signature
from .conversion import ov
from .known import FLOAT32, INT8

SHAPES_KEPT = 4
"""Largest number of signatures that a network is compiled for: each takes its weights' memory in half precision."""
UNUSED_NS = 10_000_000_000
"""A signature that was not called for this long makes room for another."""


class Network:
    """Runs a network: compiled for the inputs' signature alone where it is, else with dynamic shapes.

    Measured on the embedded model: with fixed shapes a call takes 0.7 to 0.8 of the time of dynamic ones in bfloat16,
    0.84 to 0.97 in float32.

    Args:
        core: compiles.
        converted: the network with dynamic batch and sides, its inputs and outputs named.
        kind: its region; for STEP the network is the region's denoiser only.
        latent_scale_px: as in `Model`.
        demand: notes the calls that run with dynamic shapes.
        precision: OpenVINO's name of the number format to calculate in.
        clock: monotonic nanoseconds.

    Attributes:
        names: of its inputs.
        any: runs it with dynamic shapes, without a note to `demand`.
    """

    def __init__(
        self,
        core: ov.Core,
        converted: ov.Model,
        kind: Kind,
        latent_scale_px: int,
        demand: Demand,
        precision: str,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.precision = precision
        self.names = frozenset(port.any_name for port in converted.inputs)
        self._core = core
        self._converted = converted
        self._kind, self._scale_px = kind, latent_scale_px
        self._demand = demand
        self._clock = clock
        self._threads = torch.get_num_threads()
        self.any = self._compile(converted)
        self._fixed: dict[Signature, Run] = {}
        self._used_ns: dict[Signature, int] = {}

    @property
    def fixed(self) -> list[Signature]:
        """The signatures that it is compiled for."""
        return list(self._fixed)

    def __call__(self, **inputs: torch.Tensor) -> Outputs:
        """Run it on inputs as keywords; returns outputs by name."""
        signature = Signature.of(self._call_shape(**inputs), inputs)
        if (run := self._fixed.get(signature)) is not None:
            self._used_ns[signature] = self._clock()
            return run(**inputs)
        self._demand.note(signature)
        return self.any(**inputs)

    def _call_shape(self, **inputs: torch.Tensor) -> CallShape:
        """The call's form, from the shape of the pictures [B, H, W, 3] or of the latents [B, C, h, w]."""
        names = tuple(sorted(inputs))
        if "pictures" in inputs:
            batch, height, width, _ = inputs["pictures"].shape
            return CallShape(self._kind.value, batch, 0, width, height, names)
        batch, _, height, width = inputs["x" if self._kind is Kind.DECODE else "sample"].shape
        return CallShape(self._kind.value, batch, 0, width * self._scale_px, height * self._scale_px, names)

    def compile(self, signature: Signature) -> Run:
        """Compile for this signature alone, in a third of a second, without using it for calls. Any thread.

        Raises:
            RuntimeError: it can't be compiled.
        """
        fixed = self._converted.clone()
        fixed.reshape({name: ov.PartialShape(list(shape)) for name, shape in signature.shapes.items()})
        return self._compile(fixed)

    def take(self, signature: Signature) -> bool:
        """Compile for this signature, and run its calls by that from now on. Upgrade's thread.

        Returns:
            False if `SHAPES_KEPT` signatures are in use already.
        """
        if signature in self._fixed:
            return True
        kept = dict(self._fixed)
        if len(kept) >= SHAPES_KEPT:
            longest_unused = min(kept, key=lambda one: self._used_ns.get(one, 0))
            if self._clock() - self._used_ns.get(longest_unused, 0) < UNUSED_NS:
                return False
            del kept[longest_unused]
        self._used_ns[signature] = self._clock()
        self._fixed = {**kept, signature: self.compile(signature)}  # swapped whole: the engine's thread reads it
        return True

    def _compile(self, model: ov.Model) -> Run:
        hint = FLOAT32 if self.precision == INT8 else self.precision  # of what is not quantised
        options: dict[str, object] = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": self._threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        if hint == FLOAT32 and not model.is_dynamic():
            # With its fused subgraphs OpenVINO 2026.4.1 crashes the process on GroupNorm of fixed shapes in float32.
            options["SNIPPETS_MODE"] = "DISABLE"
        request = self._core.compile_model(model, "CPU", options).create_infer_request()

        def infer(**inputs: torch.Tensor) -> Outputs:
            arrays = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in inputs.items()}
            # The outputs are copied: the next call writes where they were, and rows still hold them.
            outputs = request.infer(arrays, share_inputs=True)
            return {port.any_name: torch.from_numpy(array) for port, array in outputs.items()}

        return infer
