"""A trained network as ONNX with its manifest, checked against PyTorch by ONNX Runtime.

Opset 17, batch 1, one input `input` [1, 3, H, W] f32 (normalized with the manifest's mean and deviation), one output
`logits` [1, K]. Written by torch's graph-tracing exporter (`dynamo=False`): torch 2.15's other one cannot lower its
graphs to opset 17.
"""

import argparse
import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from .architectures import architecture
from .checkpoints import load_into
from .classes import ClassList, read_catalogue
from .data import normalized, open_set, resized
from .graph import cleaned, feature_map_of, head_of, with_f16_weights
from .manifest import manifest, to_toml
from .snapshots import write_atomically
from .train import RESULT, WEIGHTS

OPSET = 17
TOLERANCE = 1e-3
"""Largest allowed difference of a logit, in units of the range of the logits."""
# rounding weights to 11 bits moves logits by more than another order of sums does
TOLERANCE_F16 = 1e-2


def onnx_of(network: nn.Module, size: int) -> onnx.ModelProto:
    """Export a network in evaluation mode, batch 1, and clean the graph."""
    network = network.eval().cpu().float().to(memory_format=torch.contiguous_format)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own successor on every call
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, size, size),),
            buffer,
            opset_version=OPSET,
            input_names=["input"],
            output_names=["logits"],
            dynamo=False,
        )
    return cleaned(onnx.load_from_string(buffer.getvalue()))


def run_onnx(model: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    """Logits of ONNX Runtime for inputs N 3 H W f32, one at a time, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"input": one[None]})[0] for one in inputs])


def parity(network: nn.Module, model: onnx.ModelProto, inputs: torch.Tensor) -> float:
    """Largest difference between PyTorch's and ONNX Runtime's logits, in units of the range of the logits."""
    with torch.inference_mode():
        expected = network.eval()(inputs).numpy()
    found = run_onnx(model, inputs.numpy())
    return float(np.abs(found - expected).max() / (expected.max() - expected.min()))


def export(
    *,
    network: nn.Module,
    result: dict,
    name: str,
    out: Path,
    class_hash: str,
    precision: str,
    inputs: torch.Tensor,
) -> float:
    """Write `<name>.onnx` and `<name>.toml`; returns the parity. Raises `ValueError` if parity is missed."""
    model = onnx_of(network, result["input"]["width"])
    if precision == "f16-weights":
        model = with_f16_weights(model)
    difference = parity(network, model, inputs)
    bound = TOLERANCE_F16 if precision == "f16-weights" else TOLERANCE
    if difference > bound:
        raise ValueError(f"{name}: logits differ by {difference:.1e} of their range, expected below {bound:.0e}")
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.onnx"
    write_atomically(path, lambda file: file.write(model.SerializeToString()))
    table = manifest(
        name=name,
        model=path,
        precision=precision,
        result=result,
        class_hash=class_hash,
        feature_map=feature_map_of(model),
        head=head_of(model),
    )
    write_atomically(out / f"{name}.toml", lambda file: file.write(to_toml(table).encode()))
    return difference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `export`."""
    parser.add_argument("run", type=Path, help="folder that `train` wrote")
    parser.add_argument("--name", required=True, help="name in the zoo, for example resnet50-cf")
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.onnx and NAME.toml")
    parser.add_argument("--precision", choices=["f32", "f16-weights"], default="f32")
    parser.add_argument("--catalogue", type=Path, default=Path("datasets/signs/catalogue.toml"))
    parser.add_argument("--data", type=Path, help="rendered set whose pictures check the parity")
    parser.add_argument("--images", type=int, default=32, help="pictures for the check")


def main(arguments: argparse.Namespace) -> int:
    """Run the command `export`."""
    import json

    a = arguments
    result = json.loads((a.run / RESULT).read_text())
    kind = architecture(result["architecture"])
    network = kind.build(result["classes"])
    load_into(network, kind, a.run / WEIGHTS)
    size = result["input"]["width"]
    if a.data is not None:
        pictures = next(open_set(a.data).chunks(size, torch.device("cpu")))[1]
        every = max(1, len(pictures) // a.images)
        inputs = normalized(pictures[::every][: a.images])
    else:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randint(0, 256, (a.images, 3, 16, 16), dtype=torch.uint8, generator=generator)
        inputs = normalized(resized(noise, size))
    # the set knows its classes; the catalogue is for runs on sets that do not say
    stated = tuple(result.get("class_names") or ())
    classes = ClassList(stated, ("other",) * len(stated)) if stated else read_catalogue(a.catalogue)
    if len(classes.names) != result["classes"]:
        raise ValueError(
            f"{'result.json' if stated else a.catalogue}: {len(classes.names)} classes, the network has "
            f"{result['classes']}; give the catalogue that it was trained with"
        )
    difference = export(
        network=network,
        result=result,
        name=a.name,
        out=a.out,
        class_hash=classes.hash,
        precision=a.precision,
        inputs=inputs.contiguous(),
    )
    print(f"{a.out / a.name}.onnx: differs from PyTorch by {difference:.1e} of the logit range at most")
    return 0
