"""Weights back out of an exported network, f16 or int8: a start for more training where the checkpoint is gone.

An export has the batch norms folded into the convolutions before them. Each comes back as a norm that changes
nothing but adds the convolution's bias, so the network computes what the file computes, and the preset that goes
on from it must keep those statistics fixed (`Preset.fixed_norms`), or `renew_norms` measures them anew first.
"""

import re
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

_NORM_OF = ((r"(.*)downsample\.0$", r"\1downsample.1"), (r"(.*)conv(\d)$", r"\1bn\2"))
_EPS = 1e-5


def resnet_weights(path: Path) -> dict[str, Tensor]:
    """State dictionary (f32) of the ResNet in an ONNX file with folded norms, QDQ or not.

    Raises `ValueError` if the file has no convolution with a bias of a ResNet's name.
    """
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    weights: dict[str, Tensor] = {}
    for name in {re.sub(r"_(quantized|scale|zero_point)$", "", n) for n in stored}:
        if name.startswith("/") or not name.endswith((".weight", ".bias")):
            continue
        value = torch.from_numpy(np.ascontiguousarray(_real(stored, name)))
        module, kind = name.rsplit(".", 1)
        norm = next((re.sub(p, r, module) for p, r in _NORM_OF if re.match(p, module)), None)
        if norm is None:
            weights[name] = value
        elif kind == "weight":
            weights[name] = value
            count = value.shape[0]
            weights[f"{norm}.weight"] = torch.ones(count)
            weights[f"{norm}.running_mean"] = torch.zeros(count)
            weights[f"{norm}.running_var"] = torch.full((count,), 1 - _EPS)
        else:
            weights[f"{norm}.bias"] = value
    if "bn1.bias" not in weights:
        raise ValueError(f"{path}: expected a ResNet with folded norms (`conv1.bias`), found none; export it with us")
    return weights


@torch.no_grad()
def renew_norms(network: nn.Module, images: Tensor) -> None:
    """Give norms that change nothing the statistics of what they see, without changing what the network computes.

    A norm with y = x + b gets mean m and variance v of its input over `images` (N 3 H W f32, normalized), the scale
    sqrt(v + eps) and the offset b + m: the same y while statistics are fixed, and a start for training that moves them.
    """
    found: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}

    def measure(norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        variance, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3))
        found[norm] = (mean, variance)

    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [n.register_forward_pre_hook(measure) for n in norms]
    network.eval()(images)
    for hook in hooks:
        hook.remove()
    for norm, (mean, variance) in found.items():
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        norm.bias.add_((mean - norm.running_mean) * gain)
        norm.weight.copy_(gain * (variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


def _real(stored: dict[str, np.ndarray], name: str) -> np.ndarray:
    """The tensor in f32; integers by scale and zero point, a channel each along the first axis."""
    if name in stored:
        return stored[name].astype(np.float32)
    codes = stored[f"{name}_quantized"].astype(np.float32)
    scale, zero = (stored[f"{name}_{k}"].astype(np.float32) for k in ("scale", "zero_point"))
    shape = (-1,) + (1,) * (codes.ndim - 1)
    return (codes - zero.reshape(shape)) * scale.reshape(shape)
