"""Weights from elsewhere: checkpoints of MMPreTrain and timm become ours by renaming their keys.

Both libraries build the same ResNet50 v1.5 and ConvNeXt as torchvision does; only names, and for ConvNeXt the
shape of the layer scale, differ. A checkpoint that does not fit exactly is refused, with the keys that did not.
"""

import pickle
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from .architectures import Architecture
from .grown import deepened

Weights = dict[str, Tensor]

_TIMM_CONVNEXT = (
    (r"^stem\.(\d)\.", r"features.0.\1."),
    (r"^stages\.(\d)\.downsample\.(\d)\.", lambda m: f"features.{2 * int(m[1])}.{m[2]}."),
    (
        r"^stages\.(\d)\.blocks\.(\d+)\.(conv_dw|norm|mlp\.fc1|mlp\.fc2|gamma)",
        lambda m: f"features.{2 * int(m[1]) + 1}.{m[2]}." + _TIMM_BLOCK[m[3]],
    ),
    (r"^head\.norm\.", "classifier.0."),
    (r"^head\.fc\.", "classifier.2."),
)
_TIMM_BLOCK = {
    "conv_dw": "block.0",
    "norm": "block.2",
    "mlp.fc1": "block.3",
    "mlp.fc2": "block.5",
    "gamma": "layer_scale",
}
_MMPRETRAIN_CONVNEXT = (
    (r"^backbone\.downsample_layers\.(\d)\.(\d)\.", lambda m: f"features.{2 * int(m[1])}.{m[2]}."),
    (
        r"^backbone\.stages\.(\d)\.(\d+)\.(depthwise_conv|norm|pointwise_conv1|pointwise_conv2|gamma)",
        lambda m: f"features.{2 * int(m[1]) + 1}.{m[2]}." + _MMPRETRAIN_BLOCK[m[3]],
    ),
    (r"^backbone\.norm3\.", "classifier.0."),
    (r"^head\.fc\.", "classifier.2."),
)
_MMPRETRAIN_BLOCK = {
    "depthwise_conv": "block.0",
    "norm": "block.2",
    "pointwise_conv1": "block.3",
    "pointwise_conv2": "block.5",
    "gamma": "layer_scale",
}
_MMPRETRAIN_RESNET = ((r"^backbone\.", ""), (r"^head\.fc\.", "fc."))

_RULES = {
    ("mmpretrain", "resnet"): _MMPRETRAIN_RESNET,
    ("mmpretrain", "convnext"): _MMPRETRAIN_CONVNEXT,
    ("timm", "resnet"): (),
    ("timm", "convnext"): _TIMM_CONVNEXT,
    ("torchvision", "resnet"): (),
    ("torchvision", "convnext"): (),
}


def origin_of(weights: Weights) -> str:
    """Name the library that wrote these keys: `mmpretrain`, `timm` or `torchvision` (which is also ours)."""
    if any(key.startswith("backbone.") for key in weights):
        return "mmpretrain"
    if any(key.startswith(("stem.", "stages.")) for key in weights):
        return "timm"
    return "torchvision"


def translate(weights: Weights, family: str) -> Weights:
    """Rename foreign keys to ours; tensors keep their values, the layer scale gets its two spatial axes."""
    rules = _RULES[origin_of(weights), family]
    translated: Weights = {}
    for key, tensor in weights.items():
        if key.startswith("data_preprocessor."):
            continue  # MMPreTrain's mean and deviation, which belong into the manifest
        name = key
        for pattern, replacement in rules:
            name, hits = re.subn(pattern, replacement, name)
            if hits:
                break
        if name.endswith("layer_scale") and tensor.ndim == 1:
            tensor = tensor[:, None, None]
        translated[name] = tensor
    return translated


def weights_in(path: Path, trust: bool = False) -> Weights:
    """Read the state dictionary out of a `.pth`, `.pt` or `.safetensors` file, whichever wrapper it is in.

    Or out of an exported network (`.onnx`, see `folded`).

    MMEngine's own files also hold objects of its classes, which only full unpickling can read; that runs code from
    the file, so it takes `trust`.
    """
    if path.suffix == ".onnx":
        from .folded import weights_of

        return weights_of(path)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=not trust)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: holds more than tensors; if you know who wrote it, say --trust to unpickle it whole"
        ) from error
    for wrapper in ("state_dict", "model", "weights"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    tensors = {k: v for k, v in content.items() if isinstance(v, Tensor)} if isinstance(content, dict) else {}
    if not tensors:
        raise ValueError(f"{path}: expected a state dictionary, found no tensors in it")
    return tensors


def load_into(
    network: nn.Module, architecture: Architecture, path: Path, trust: bool = False, deepen: bool = False
) -> str:
    """Load a checkpoint of any of the three libraries into `network`, whole or not at all.

    With `deepen` that of a shallower ConvNeXt, spread over the blocks (see `grown`). Returns the library that wrote
    it. Raises `ValueError` with the first keys that are missing, left over or of another shape.
    """
    weights = weights_in(path, trust)
    origin = origin_of(weights)
    try:
        ours = translate(weights, architecture.family)
        expected = network.state_dict()
        if deepen:
            ours = deepened(ours, expected)
    except KeyError as error:
        raise ValueError(f"{path}: key {error} of {origin} is not one of a {architecture.family}") from error
    missing = [k for k in expected if k not in ours and not k.endswith("num_batches_tracked")]
    extra = [k for k in ours if k not in expected]
    shape = [k for k in expected if k in ours and ours[k].shape != expected[k].shape]
    if missing or extra or shape:
        raise ValueError(
            f"{path}: {origin} checkpoint does not fit {architecture.name}: missing {missing[:3]}, "
            f"left over {extra[:3]}, other shape {shape[:3]}; check architecture and number of classes"
        )
    network.load_state_dict({k: v.to(expected[k].dtype) for k, v in ours.items()}, strict=False)
    return origin
