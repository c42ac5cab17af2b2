"""An ONNX graph run by PyTorch, operator by operator, so that Captum can look inside any exported network.

The operators of ResNet and ConvNeXt exports and of QDQ files; another one is refused by name. Quantize and dequantize
are computed in f32 as ONNX defines them (round half to even, saturate), so an int8 file gives the desktop's view of
the same integers; they have no gradient.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn


class OnnxNetwork(nn.Module):
    """A network from an ONNX file: N 3 H W to logits N K; `tap` sees the feature map N C h w."""

    def __init__(self, path: Path, feature_map: str):
        super().__init__()
        graph = onnx.load(path).graph
        self.input_name = next(i.name for i in graph.input if i.name not in {t.name for t in graph.initializer})
        self.output_name = graph.output[0].name
        self.feature_map = feature_map
        self.tap = nn.Identity()
        self.constants = {t.name: _tensor(t) for t in graph.initializer}
        self.nodes = [(n.op_type, list(n.input), list(n.output), _attributes(n)) for n in graph.node]
        unknown = sorted({op for op, *_ in self.nodes} - OPERATORS.keys())
        if unknown:
            raise ValueError(
                f"{path}: operators {', '.join(unknown)} are unknown here; expected {', '.join(OPERATORS)}"
            )
        if feature_map not in {o for _, _, outputs, _ in self.nodes for o in outputs}:
            raise ValueError(f"{path}: expected a tensor `{feature_map}` as the manifest says, found none")

    def _apply(self, function: Callable, recurse: bool = True) -> "OnnxNetwork":
        """Take the constants along to another device."""
        super()._apply(function, recurse)
        self.constants = {k: function(v) if v.is_floating_point() else v for k, v in self.constants.items()}
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Run the graph."""
        known = dict(self.constants)
        known[self.input_name] = images
        for op, inputs, outputs, attributes in self.nodes:
            value = OPERATORS[op]([known[i] if i else None for i in inputs], attributes)
            known[outputs[0]] = self.tap(value) if outputs[0] == self.feature_map else value
        return known[self.output_name]


def _tensor(proto: onnx.TensorProto) -> Tensor:
    return torch.from_numpy(np.array(numpy_helper.to_array(proto)))


def _attributes(node: onnx.NodeProto) -> dict:
    table = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type == "Constant":
        table["value"] = _tensor(table["value"])
    return table


def _padded(x: Tensor, pads: list[int], value: float) -> tuple[Tensor, tuple[int, int]]:
    """Symmetric padding is left to the operator; other padding is made here."""
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return x, (top, left)
    return F.pad(x, (left, right, top, bottom), value=value), (0, 0)


def _conv(x: list, a: dict) -> Tensor:
    image, padding = _padded(x[0], a.get("pads", [0] * 4), 0.0)
    stride, dilation = tuple(a.get("strides", [1, 1])), tuple(a.get("dilations", [1, 1]))
    bias = x[2] if len(x) > 2 else None
    return F.conv2d(image, x[1], bias, stride, padding, dilation, a.get("group", 1))


def _max_pool(x: list, a: dict) -> Tensor:
    image, padding = _padded(x[0], a.get("pads", [0] * 4), float("-inf"))
    return F.max_pool2d(image, tuple(a["kernel_shape"]), tuple(a.get("strides", [1, 1])), padding)


def _gemm(x: list, a: dict) -> Tensor:
    left = x[0].T if a.get("transA", 0) else x[0]
    right = x[1].T if a.get("transB", 0) else x[1]
    product = a.get("alpha", 1.0) * (left @ right)
    return product + a.get("beta", 1.0) * x[2] if len(x) > 2 else product


def _layer_norm(x: list, a: dict) -> Tensor:
    axis = a.get("axis", -1)
    shape = x[0].shape[axis:]
    return F.layer_norm(x[0], shape, x[1], x[2] if len(x) > 2 else None, a.get("epsilon", 1e-5))


def _reshape(x: list, _: dict) -> Tensor:
    # the batch is free here, but 1 in the file
    shape = [int(v) for v in x[1]]
    if shape and shape[0] == 1:
        shape[0] = x[0].shape[0]
    return x[0].reshape([x[0].shape[i] if n == 0 else n for i, n in enumerate(shape)])


def _flatten(x: list, a: dict) -> Tensor:
    axis = a.get("axis", 1)
    return x[0].flatten(axis) if axis == 1 else x[0].reshape(int(np.prod(x[0].shape[:axis])), -1)


def _reduce_mean(x: list, a: dict) -> Tensor:
    axes = a.get("axes") or [int(v) for v in x[1]]
    return x[0].mean(tuple(axes), keepdim=bool(a.get("keepdims", 1)))


def _along(parameter: Tensor, like: Tensor, axis: int) -> Tensor:
    if parameter.ndim == 0 or parameter.numel() == 1:
        return parameter.reshape(())
    shape = [1] * like.ndim
    shape[axis] = -1
    return parameter.reshape(shape)


def _quantize(x: list, a: dict) -> Tensor:
    zero = x[2] if len(x) > 2 else torch.zeros((), dtype=torch.uint8)
    bounds = torch.iinfo(zero.dtype)
    axis = a.get("axis", 1)
    levels = (x[0] / _along(x[1], x[0], axis)).round() + _along(zero.to(x[0].dtype), x[0], axis)
    return levels.clamp(bounds.min, bounds.max)


def _dequantize(x: list, a: dict) -> Tensor:
    axis, real = a.get("axis", 1), x[0].to(x[1].dtype)
    zero = _along(x[2].to(real.dtype), real, axis) if len(x) > 2 else 0
    return (real - zero) * _along(x[1], real, axis)


def _cast(x: list, a: dict) -> Tensor:
    kinds = {onnx.TensorProto.FLOAT: torch.float32, onnx.TensorProto.INT64: torch.int64}
    if a["to"] not in kinds:
        raise ValueError(f"Cast to {onnx.TensorProto.DataType.Name(a['to'])}: expected FLOAT or INT64")
    return x[0].to(kinds[a["to"]])


OPERATORS: dict[str, Callable[[list, dict], Tensor]] = {
    "Add": lambda x, _: x[0] + x[1],
    "Cast": _cast,
    "Clip": lambda x, _: x[0].clamp(*(None if v is None else float(v) for v in x[1:3])),
    "Constant": lambda _, a: a["value"],
    "Conv": _conv,
    "DequantizeLinear": _dequantize,
    "Div": lambda x, _: x[0] / x[1],
    "Erf": lambda x, _: torch.erf(x[0]),
    "Flatten": _flatten,
    "Gelu": lambda x, a: F.gelu(x[0], approximate=a.get("approximate", b"none").decode()),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda x, _: x[0].mean((2, 3), keepdim=True),
    "Identity": lambda x, _: x[0],
    "LayerNormalization": _layer_norm,
    "MatMul": lambda x, _: x[0] @ x[1],
    "MaxPool": _max_pool,
    "Mul": lambda x, _: x[0] * x[1],
    "QuantizeLinear": _quantize,
    "ReduceMean": _reduce_mean,
    "Relu": lambda x, _: F.relu(x[0]),
    "Reshape": _reshape,
    "Squeeze": lambda x, _: x[0].squeeze(tuple(int(v) for v in x[1])),
    "Sub": lambda x, _: x[0] - x[1],
    "Transpose": lambda x, a: x[0].permute(*a["perm"]),
}
"""What a node computes from its inputs and attributes; the first output alone is used."""
