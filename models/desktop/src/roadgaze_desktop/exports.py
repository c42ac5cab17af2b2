"""Graphs as torchvision, timm and MMPreTrain export them, without their weights, for the tests in Rust.

Both exporters of PyTorch, several operator sets. Large tensors keep name, type and shape and lose their values, so that
a ResNet50 takes some 30 kB; the tests fill them with numbers of their own.
"""

import argparse
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import timm
import torch
import torchvision
from torch import nn

CLASSES = 82
KEPT_ELEMENTS = 64
"""Tensors of up to so many elements keep their values: shapes, axes, epsilons."""
BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "torchvision-resnet50": lambda: torchvision.models.resnet50(num_classes=CLASSES),
    "torchvision-convnext_tiny": lambda: torchvision.models.convnext_tiny(num_classes=CLASSES),
    "timm-resnet50": lambda: timm.create_model("resnet50", num_classes=CLASSES),
    "timm-convnext_tiny": lambda: timm.create_model("convnext_tiny", num_classes=CLASSES),
}
MMPRETRAIN_BACKBONES = {
    "mmpretrain-resnet50": ({"type": "ResNet", "depth": 50, "num_stages": 4, "out_indices": (3,)}, 2048),
    "mmpretrain-convnext_tiny": ({"type": "ConvNeXt", "arch": "tiny"}, 768),
}
FORMS = (("traced-13", 13, False), ("traced-17", 17, False), ("exported-18", 18, True))
"""Name, operator set, and whether `torch.export` makes the graph instead of a trace."""


class Logits(nn.Module):
    """A classifier of MMPreTrain as a plain network: what its mode `tensor` gives."""

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.classifier = classifier

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """From N 3 H W to N K."""
        return self.classifier(images, mode="tensor")


def of_mmpretrain(backbone: dict, channels: int) -> nn.Module:
    """Build a classifier as MMPreTrain's own configurations do; `ImportError` where it is not installed."""
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import MODELS

    init_default_scope("mmpretrain")
    config = {
        "type": "ImageClassifier",
        "backbone": backbone,
        "head": {"type": "LinearClsHead", "num_classes": CLASSES, "in_channels": channels},
    }
    if backbone["type"] == "ResNet":
        config["neck"] = {"type": "GlobalAveragePooling"}
    return Logits(MODELS.build(config))


def exported(network: nn.Module, opset: int, dynamo: bool) -> onnx.ModelProto:
    """Export as a user would, with the default settings of the exporter."""
    picture = torch.zeros(1, 3, 224, 224)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own successor on every call
        if dynamo:
            program = torch.onnx.export(network.eval(), (picture,), opset_version=opset, dynamo=True, verbose=False)
            return program.model_proto
        buffer = io.BytesIO()
        torch.onnx.export(network.eval(), (picture,), buffer, opset_version=opset, dynamo=False)
        return onnx.load_from_string(buffer.getvalue())


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the values of large tensors, and all remarks of the exporter."""
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for tensor in model.graph.initializer:
        count = 1
        for dim in tensor.dims:
            count *= dim
        if count > KEPT_ELEMENTS and tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
        tensor.ClearField("doc_string")
        tensor.ClearField("metadata_props")
    model.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    model.graph.ClearField("metadata_props")
    model.ClearField("functions")
    return model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `exports`."""
    parser.add_argument("--out", type=Path, default=Path("tests/golden/exports"))


def main(arguments: argparse.Namespace) -> int:
    """Run the command `exports`."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(20)
    networks = {name: build() for name, build in BUILDERS.items()}
    try:
        networks |= {name: of_mmpretrain(*parts) for name, parts in MMPRETRAIN_BACKBONES.items()}
    except ImportError as error:
        print(f"MMPreTrain is not installed ({error}): its graphs stay as they are")
    for name, network in networks.items():
        # for MMPreTrain the two newer forms are enough: its layers are torch's
        for form, opset, dynamo in FORMS[name in MMPRETRAIN_BACKBONES :]:
            path = arguments.out / f"{name}-{form}.onnx"
            path.write_bytes(without_weights(exported(network, opset, dynamo)).SerializeToString())
            print(f"{path}: {path.stat().st_size} bytes")
    (arguments.out / "tools.txt").write_text(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}, "
        f"onnx {onnx.__version__}\n"
    )
    return 0
