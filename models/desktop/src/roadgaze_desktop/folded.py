"""Weights back out of an exported network, f16 or int8: a start for more training where the checkpoint is gone.

The export of a ResNet has the batch norms folded into the convolutions before them. Each comes back as a norm that
changes nothing but adds the convolution's bias, so the network computes what the file computes, and the preset that
goes on from it must keep those statistics fixed (`Preset.fixed_norms`), or `renew_norms` measures them anew first.

A ConvNeXt in int8 has its layer scales folded into the linear layers before them and its residual streams divided by
a factor a channel (`calibration/src/streams.rs`); both are taken back.
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
_SPREAD = 0.05
"""Root mean square that a row of a linear layer keeps when its layer scale is taken out of it again."""


def weights_of(path: Path) -> dict[str, Tensor]:
    """State dictionary (f32) of an exported ResNet or ConvNeXt, QDQ or not.

    Raises `ValueError` if the file holds neither.
    """
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    if any(name.startswith("features.0.0.weight") for name in stored):
        return _convnext_weights(stored)
    return _resnet_weights(stored, path)


def _convnext_weights(stored: dict[str, np.ndarray]) -> dict[str, Tensor]:
    weights: dict[str, np.ndarray] = {}
    for name in sorted({re.sub(r"(weight|bias)_(quantized|scale|zero_point)$", r"\1", n) for n in stored}):
        if name.endswith((".weight", ".bias", ".layer_scale")) and not name.startswith("/"):
            linear = re.fullmatch(r"features\.\d+\.\d+\.block\.[35]\.weight", name)
            # a matrix product takes inputs x outputs, a layer of torch outputs x inputs
            weights[name] = _real(stored, name, axis=1).T if linear else _real(stored, name)
    for kind, ours in (("gain", "weight"), ("offset", "bias")):
        own = stored.get(f"/features/features.0/features.0.1/LayerNormalization_output_0_{kind}")
        if own is not None:
            weights[f"features.0.1.{ours}"] = own.astype(np.float32)
    for name, value in stored.items():
        if found := re.fullmatch(r"/features/features\.(\d+)/features\.\d+\.\d+/Add_output_0_stream_scale", name):
            _undivide(weights, int(found[1]), value.reshape(-1).astype(np.float32))
    for name in [n for n in weights if re.fullmatch(r"features\.\d+\.\d+\.block\.5\.weight", n)]:
        scale = name.replace("block.5.weight", "layer_scale")
        if scale not in weights:
            rows = np.sqrt((weights[name] ** 2).mean(axis=1)) / _SPREAD
            rows = np.where(rows > 0, rows, 1).astype(np.float32)
            weights[name] = weights[name] / rows[:, None]
            if (bias := name.replace("weight", "bias")) in weights:
                weights[bias] = weights[bias] / rows
            weights[scale] = rows
        weights[scale] = weights[scale].reshape(-1, 1, 1)
    return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in weights.items()}


def _undivide(weights: dict[str, np.ndarray], stage: int, factors: np.ndarray) -> None:
    """Multiply what writes the stream of a stage and divide what reads it by channel."""
    before = "features.0.1" if stage == 1 else f"features.{stage - 1}.1"
    writers = rf"{re.escape(before)}|features\.{stage}\.\d+\.block\.5"
    for name, value in weights.items():
        module, kind = name.rsplit(".", 1)
        along = (-1,) + (1,) * (value.ndim - 1)
        if re.fullmatch(writers, module) and kind in ("weight", "bias"):
            weights[name] = value * factors.reshape(along)
        elif re.fullmatch(rf"features\.{stage}\.\d+\.block\.0\.weight", name):
            weights[name] = value / factors.reshape(along)


def _resnet_weights(stored: dict[str, np.ndarray], path: Path) -> dict[str, Tensor]:
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
        raise ValueError(
            f"{path}: expected a ResNet with folded norms (`conv1.bias`) or a ConvNeXt (`features.0.0.weight`), "
            "found neither; export it with us"
        )
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


def _real(stored: dict[str, np.ndarray], name: str, axis: int = 0) -> np.ndarray:
    """The tensor in f32; integers by scale and zero point, a channel each along `axis`."""
    if name in stored:
        return stored[name].astype(np.float32)
    codes = stored[f"{name}_quantized"].astype(np.float32)
    scale, zero = (stored[f"{name}_{k}"].astype(np.float32) for k in ("scale", "zero_point"))
    shape = [1] * codes.ndim
    shape[axis] = -1
    return (codes - zero.reshape(shape)) * scale.reshape(shape)
