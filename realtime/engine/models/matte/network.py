"""The network that finds the person: MediaPipe's selfie segmentation, in PyTorch.

A MobileNetV3 whose features are gathered at a sixteenth of the side, and a decoder that adds the finer ones again,
each weighed by a gate. 106,407 parameters; 0.12 GFLOP a picture. `MODEL_CARD.md` says where the weights come from, and
for whom it works. Must not know how its mask is enlarged or used.

Source: the operators in `selfie_segmentation.tflite`; the names of the parts are those of Howard et al. 2019,
"Searching for MobileNetV3", sections 5 and 6.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

SIDE_PX = 256
"""Side of the pictures that the network was trained on; others are squeezed to it, as MediaPipe does."""


class SamePadded(nn.Conv2d):
    """A convolution that pads as TensorFlow does: with stride 2 one pixel more behind than before."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w], even sides, to [B, C', h / stride, w / stride]."""
        total = self.kernel_size[0] - self.stride[0]
        return super().forward(F.pad(input, (total // 2, total - total // 2) * 2))


class Gate(nn.Module):
    """Squeeze and excitation: a weight for each channel, from the mean over the picture."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(width, hidden, 1), nn.Conv2d(hidden, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w] to [B, C, 1, 1], 0 to 1."""
        return torch.sigmoid(self.expand(F.relu(self.reduce(x.mean((2, 3), keepdim=True)))))


class Bottleneck(nn.Module):
    """MobileNetV3's block: widen, filter each channel by itself, gate, narrow; the input is added where it fits.

    Args:
        wide: channels inside.
        gate: channels inside the gate; 0 for none.
        is_smooth: hard swish instead of ReLU.
    """

    def __init__(
        self,
        width: int,
        out: int,
        wide: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        gate: int = 0,
        is_smooth: bool = False,
    ) -> None:
        super().__init__()
        self.widen = nn.Conv2d(width, wide, 1)
        self.filter = SamePadded(wide, wide, kernel, stride, groups=wide)
        self.gate = Gate(wide, gate) if gate else None
        self.narrow = nn.Conv2d(wide, out, 1)
        self._activation = F.hardswish if is_smooth else F.relu
        self._is_residual = stride == 1 and width == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, width, h, w] to [B, out, h / stride, w / stride]."""
        wide = self._activation(self.filter(self._activation(self.widen(x))))
        if self.gate is not None:
            wide = wide * self.gate(wide)
        return self.narrow(wide) + x if self._is_residual else self.narrow(wide)


class Refinement(nn.Module):
    """A step of the decoder: enlarge by two, add the encoder's features of that size through a gate, and filter."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.enlarge = nn.Conv2d(width, out, 1)
        self.gate = Gate(out, out)
        self.mix = nn.Conv2d(out, out, 1)
        self.filter = SamePadded(out, out, 3, groups=out)

    def forward(self, x: torch.Tensor, finer: torch.Tensor) -> torch.Tensor:
        """[B, width, h, w] and [B, out, 2·h, 2·w] to [B, out, 2·h, 2·w]."""
        # In the original the other way round, which is the same and four times the arithmetic.
        x = F.interpolate(self.enlarge(x), scale_factor=2.0, mode="bilinear")
        x = F.relu(self.mix(finer * self.gate(finer + x) + x))
        return x + F.relu(self.filter(x))


class MatteNetwork(nn.Module):
    """Pictures [B, 3, 256, 256] in [0, 1] to masks [B, 1, 256, 256]: how surely a pixel shows a person, 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.side_128 = SamePadded(3, 16, 3, 2)
        self.side_64 = Bottleneck(16, 16, 16, stride=2, gate=8)
        self.side_32 = nn.Sequential(Bottleneck(16, 24, 72, stride=2), Bottleneck(24, 24, 88))
        self.side_16 = nn.Sequential(
            Bottleneck(24, 32, 96, kernel=5, stride=2, gate=24, is_smooth=True),
            Bottleneck(32, 32, 128, kernel=5, gate=32, is_smooth=True),
            Bottleneck(32, 32, 128, kernel=5, gate=32, is_smooth=True),
            Bottleneck(32, 32, 96, kernel=5, gate=24, is_smooth=True),
            Bottleneck(32, 32, 96, kernel=5, gate=24, is_smooth=True),
        )
        self.gather, self.weigh = nn.Conv2d(32, 128, 1), nn.Conv2d(32, 128, 1)
        self.to_32, self.to_64, self.to_128 = Refinement(128, 24), Refinement(24, 16), Refinement(16, 16)
        self.segment = nn.Conv2d(16, 4, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x_128 = F.hardswish(self.side_128(pictures))
        x_64 = self.side_64(x_128)
        x_32 = self.side_32(x_64)
        x = self.side_16(x_32)
        x = F.relu(self.gather(x)) * torch.sigmoid(self.weigh(x.mean((2, 3), keepdim=True)))
        x = self.to_128(self.to_64(self.to_32(x, x_32), x_64), x_128)
        return torch.sigmoid(F.pixel_shuffle(self.segment(x), 2))  # in the original a transposed convolution, 2×2
