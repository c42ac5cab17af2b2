"""ONNX graphs made plain: no `Identity`, no `Constant` nodes, initializers named after the layer they belong to.

The exporter folds batch norms and then names the results `onnx::Conv_497`; a name that counts changes with every
release, one that says `layer1.0.conv1.weight` does not, and the manifest and the quantizer refer to names.
"""

from collections import Counter

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

_SMALL = 256
"""Tensors of fewer elements stay f32 in an f16 file: biases and scales cost nothing and matter most."""


def cleaned(model: ModelProto) -> ModelProto:
    """Return the model with `Identity` and `Constant` nodes folded away and initializers renamed."""
    result = ModelProto()
    result.CopyFrom(model)
    _lift_constants(result)
    _drop_identities(result)
    _rename_initializers(result)
    onnx.checker.check_model(result)
    return result


def _lift_constants(model: ModelProto) -> None:
    graph = model.graph
    kept = []
    for node in graph.node:
        if node.op_type == "Constant":
            value = next(a.t for a in node.attribute if a.name == "value")
            tensor = TensorProto()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
        else:
            kept.append(node)
    _set_nodes(model, kept)


def _drop_identities(model: ModelProto) -> None:
    graph = model.graph
    alias = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Identity"}
    outputs = {o.name for o in graph.output}
    if outputs & alias.keys():
        raise ValueError(f"outputs {outputs & alias.keys()} come out of an Identity; expected an operator")

    def source(name: str) -> str:
        while name in alias:
            name = alias[name]
        return name

    kept = [n for n in graph.node if n.op_type != "Identity"]
    for node in kept:
        for i, name in enumerate(node.input):
            node.input[i] = source(name)
    _set_nodes(model, kept)


def _rename_initializers(model: ModelProto) -> None:
    graph = model.graph
    uses = Counter(name for node in graph.node for name in node.input)
    taken = {t.name for t in graph.initializer}
    new_name: dict[str, str] = {}
    for node in graph.node:
        layer = ".".join(p for p in node.name.split("/")[:-1] if p)
        # "/layer1/layer1.0/conv1/Conv" -> "layer1.0.conv1": a path element repeats the one before it
        parts: list[str] = []
        for part in [p for p in node.name.split("/")[:-1] if p]:
            if parts and part.startswith(parts[-1] + "."):
                parts[-1] = part
            else:
                parts.append(part)
        layer = ".".join(parts) or layer or node.op_type
        roles = {"Conv": ("", "weight", "bias"), "Gemm": ("", "weight", "bias"), "MatMul": ("", "weight")}
        for i, name in enumerate(node.input):
            if name not in taken or name in new_name:
                continue
            if name.startswith("onnx::"):
                role = roles.get(node.op_type, ())
                wish = f"{layer}.{role[i] if i < len(role) else f'{node.op_type}.{i}'}"
            elif name.startswith("/"):
                wish = f"{layer}.{node.op_type}.{i}" if uses[name] == 1 else f"constant.{len(new_name)}"
            else:
                wish = name
            while wish in new_name.values() or (wish in taken and wish != name):
                wish += "_"
            new_name[name] = wish
    for tensor in graph.initializer:
        tensor.name = new_name.get(tensor.name, tensor.name)
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = new_name.get(name, name)
    used = {name for node in graph.node for name in node.input}
    kept = [t for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _set_nodes(model: ModelProto, nodes: list) -> None:
    copies = [onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def with_f16_weights(model: ModelProto) -> ModelProto:
    """Store large initializers as f16, each widened by a `Cast` in front of its use: half the file, f32 sums.

    The initializer keeps its name; the widened tensor is called `<name>_f32`. Raises `ValueError` if a weight is too
    large for f16.
    """
    result = ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    casts, renamed = [], {}
    for i, tensor in enumerate(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALL:
            continue
        half = values.astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError(f"{tensor.name}: a weight above 65504 does not fit f16; export as f32")
        graph.initializer[i].CopyFrom(numpy_helper.from_array(half, tensor.name))
        renamed[tensor.name] = f"{tensor.name}_f32"
        casts.append(
            helper.make_node(
                "Cast",
                [tensor.name],
                [renamed[tensor.name]],
                name=f"{tensor.name}/Cast",
                to=TensorProto.FLOAT,
            )
        )
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
    _set_nodes(result, casts + list(graph.node))
    onnx.checker.check_model(result)
    return result


def feature_map_of(model: ModelProto) -> str:
    """Name of the tensor that global average pooling reads; `ValueError` unless there is exactly one."""
    pooled = [n.input[0] for n in model.graph.node if n.op_type == "GlobalAveragePool"]
    if len(pooled) != 1:
        raise ValueError(f"expected one GlobalAveragePool, found {len(pooled)}; GradCAM needs GAP and a linear head")
    return pooled[0]


def head_of(model: ModelProto) -> dict:
    """Names of the head's initializers: what the manifest calls `head`."""
    gemm = model.graph.node[-1]
    if gemm.op_type != "Gemm":
        raise ValueError(f"expected the graph to end in Gemm, found {gemm.op_type}")
    stored = {t.name for t in model.graph.initializer}

    def origin(name: str) -> str:
        return name if name in stored else name.removesuffix("_f32")

    head = {"kind": "linear", "weight": origin(gemm.input[1]), "bias": origin(gemm.input[2])}
    pooled = next(i for i, n in enumerate(model.graph.node) if n.op_type == "GlobalAveragePool")
    behind = [n for n in model.graph.node[pooled:] if n.op_type == "LayerNormalization"]
    if behind:
        norm = behind[0]
        eps = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        head |= {
            "kind": "layernorm-linear",
            "norm_weight": origin(norm.input[1]),
            "norm_bias": origin(norm.input[2]),
            "eps": float(f"{eps:.6g}"),
        }
    return head


def constant(model: ModelProto, name: str) -> np.ndarray:
    """Value of a weight, whether it is stored or comes out of `Cast` or `DequantizeLinear`, as f64."""
    stored = {t.name: t for t in model.graph.initializer}
    if name in stored:
        return numpy_helper.to_array(stored[name]).astype(np.float64)
    node = next((n for n in model.graph.node if name in n.output), None)
    if node is None:
        raise ValueError(f"expected a weight `{name}`, found none")
    if node.op_type in ("Cast", "Identity"):
        return constant(model, node.input[0])
    if node.op_type != "DequantizeLinear":
        raise ValueError(f"expected a weight `{name}`, found the result of {node.op_type}")
    codes, scale = constant(model, node.input[0]), constant(model, node.input[1])
    zero = constant(model, node.input[2]) if len(node.input) > 2 else np.zeros_like(scale)
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    if scale.ndim:
        shape = [1] * codes.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return (codes - zero) * scale
