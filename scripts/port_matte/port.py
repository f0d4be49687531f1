"""Reads MediaPipe's selfie segmentation out of its TFLite file, and writes the weights that ship.

    python port.py selfie_segmentation.tflite

The file lists its operators in the order in which they run, which is the order of the convolutions in `MatteNetwork`;
each kernel's shape is checked. Needs the package `tflite`, beside the project's own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tflite
import torch
from safetensors.torch import save_file
from torch import nn

from realtime.engine.models.matte.load import WEIGHTS
from realtime.engine.models.matte.network import MatteNetwork

DTYPES = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16}
PLAIN, DEPTHWISE = tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D
TRANSPOSED = "Convolution2DTransposeBias"
"""MediaPipe's own operator, the last of the network."""


def kernels(file: bytes) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weight and bias of each convolution as PyTorch has them, in the order in which they run."""
    model = tflite.Model.GetRootAs(file)
    graph: Any = model.Subgraphs(0)
    halves: dict[int, int] = {}
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        inputs = [int(index) for index in operator.InputsAsNumpy()]
        if kind == tflite.BuiltinOperator.DEQUANTIZE:  # weights are kept in half precision
            halves[operator.Outputs(0)] = inputs[0]
        elif kind in (PLAIN, DEPTHWISE) or code.CustomCode() == TRANSPOSED.encode():
            weight, bias = (_constant(model, graph, halves.get(index, index)) for index in inputs[1:3])
            # plain: [out, h, w, in]; depthwise: [1, h, w, channels]
            weight = weight.permute((3, 0, 1, 2) if kind == DEPTHWISE else (0, 3, 1, 2))
            if kind not in (PLAIN, DEPTHWISE):  # 2×2 with stride 2: a 1×1 convolution before a pixel shuffle
                weight, bias = weight.permute(2, 3, 1, 0).flatten(0, 1)[..., None], bias.repeat(4)
            found.append((weight.contiguous(), bias))
    return found


def _constant(model: Any, graph: Any, index: int) -> torch.Tensor:
    tensor = graph.Tensors(index)
    data = model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
    return torch.from_numpy(np.frombuffer(data, DTYPES[tensor.Type()]).reshape(tensor.ShapeAsNumpy()).copy())


def ported(file: bytes) -> MatteNetwork:
    """The network with the file's weights, in float32.

    Raises:
        ValueError: the file's convolutions are not those of `MatteNetwork`.
    """
    network = MatteNetwork()
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    for convolution, (weight, bias) in zip(convolutions, kernels(file), strict=True):
        if convolution.weight.shape != weight.shape:
            raise ValueError(f"{convolution} has the shape {tuple(convolution.weight.shape)}, not {weight.shape}")
        assert convolution.bias is not None
        with torch.no_grad():
            convolution.weight.copy_(weight)
            convolution.bias.copy_(bias)
    return network.eval()


def main() -> None:
    """Port the file that is named on the command line."""
    network = ported(Path(sys.argv[1]).read_bytes())
    save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, WEIGHTS)
    print(
        f"{WEIGHTS.name}: {sum(p.numel() for p in network.parameters()):,} parameters, {WEIGHTS.stat().st_size:,} bytes"
    )


if __name__ == "__main__":
    main()
