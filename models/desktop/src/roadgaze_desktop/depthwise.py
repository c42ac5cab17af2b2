"""Depthwise convolutions in f32 where the rest of a network trains in bf16 on a CPU.

oneDNN has no fast bf16 gradient of their weights: of a ConvNeXt-Small's step they take half the time, and a third of
that in f32 (measured in docs/measurements.md).
"""

import torch
from torch import Tensor, nn


def in_f32(network: nn.Module) -> None:
    """Run every depthwise convolution of `network` in f32, whatever autocast says; weights and names stay."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            module.forward = _InF32(module)


class _InF32:
    """The forward pass of one convolution."""

    def __init__(self, convolution: nn.Conv2d):
        self.convolution = convolution

    def __call__(self, x: Tensor) -> Tensor:
        c = self.convolution
        with torch.autocast(x.device.type, enabled=False):
            return nn.functional.conv2d(x.float(), c.weight, c.bias, c.stride, c.padding, c.dilation, c.groups)
