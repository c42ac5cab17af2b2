"""ONNX Runtime's own static quantization beside `roadgaze calibrate`: same network, same pictures, same check.

Three files run in ONNX Runtime picture by picture: the network in f32, the file of `roadgaze calibrate` and the file
of `onnxruntime.quantization.quantize_static`. Differences are taken picture by picture, with 95 % intervals.
"""

import argparse
import hashlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from . import attribution
from .data import RenderedSet, normalized, open_set
from .frame_order import device_order
from .graph import constant, feature_map_of, head_of

METHODS = ("minmax", "entropy", "percentile")


def pictures(images: RenderedSet) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
    """Walk a set in the order of the device: label, picture H W 3 u8, mask H W u8."""
    places = [(shard, at) for shard, block in enumerate(images.images) for at in range(len(block))]
    for position in device_order(images.labels, images.indices):
        shard, at = places[position]
        mask = images.masks[shard][at] if images.masks is not None else None
        yield int(images.labels[position]), np.asarray(images.images[shard][at]), mask


def tensor_of(picture: np.ndarray) -> np.ndarray:
    """From a picture H W 3 u8 to the input 1 3 H W f32."""
    return normalized(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]).numpy()


def check_same_pictures(images: RenderedSet, count: int, report: Path) -> None:
    """Compare the first pictures with the hashes in the report of a calibration; `ValueError` if they differ."""
    stated = [p["sha256"] for p in json.loads(report.read_text())["data"]["pictures"]]
    found = [hashlib.sha256(p.tobytes()).hexdigest()[:16] for _, p, _ in islice(pictures(images), count)]
    if stated != found:
        same = sum(a == b for a, b in zip(stated, found, strict=False))
        raise ValueError(
            f"{images.folder}: {same} of {len(found)} pictures are those of {report} ({len(stated)}); render the set "
            "that was calibrated with, and as many pictures"
        )


def quantize(source: Path, out: Path, images: RenderedSet, count: int, method: str, weight_bits: int) -> None:
    """Quantize with ONNX Runtime: QDQ, u8 activations, s8 weights a channel, everything else as it comes."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = islice(pictures(images), count)

        def get_next(self) -> dict | None:
            item = next(self.rest, None)
            return None if item is None else {"input": tensor_of(item[1])}

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    prepared = out.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(out),
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=weight_bits == 7,
        calibrate_method=methods[method],
    )
    prepared.unlink()


def _closed_form(features: np.ndarray, row: np.ndarray, norm: tuple[np.ndarray, float] | None) -> np.ndarray:
    """GradCAM of a class by the row of the head that makes its logit; features C H W, map H W, in f64."""
    cells = features[0].size
    weight = row
    if norm is not None:
        gamma, eps = norm
        pooled = features.reshape(len(features), -1).mean(axis=1)
        sigma = np.sqrt(pooled.var() + eps)
        h = (pooled - pooled.mean()) / sigma
        u = gamma * row
        weight = (u - u.mean() - h * (u * h).mean()) / sigma
    return np.tensordot(weight / cells, features, axes=1)


class Runner:
    """A network in ONNX Runtime, one thread, with its feature map as a second output."""

    def __init__(self, path: Path, head: dict, reference: onnx.ModelProto):
        model = onnx.load(path)
        tap = feature_map_of(model)
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tap))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name
        self.outputs = [model.graph.output[0].name, tap]
        # the weights of the head that the file really has; a foreign tool may have renamed or fused them
        try:
            self.weight = constant(model, head["weight"])
        except ValueError:
            self.weight = constant(reference, head["weight"])
        self.norm = None
        if "norm_weight" in head:
            self.norm = (constant(reference, head["norm_weight"]), float(head.get("eps", 1e-5)))

    def ask(self, picture: np.ndarray, mask: np.ndarray | None) -> tuple[int, float]:
        """Predicted class and pixel ratio (NaN if there is none)."""
        logits, features = self.session.run(self.outputs, {self.input: tensor_of(picture)})
        answer = int(logits[0].argmax())
        if mask is None:
            return answer, float("nan")
        cam = _closed_form(features[0].astype(np.float64), self.weight[answer], self.norm)
        ratio = attribution.pixel_ratio(cam, mask > 127)
        return answer, float("nan") if ratio is None else float(ratio)


@dataclass
class Tally:
    """Answers and ratios of one network, picture by picture."""

    answers: list[int] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)


def paired(values: np.ndarray) -> dict:
    """Mean of differences with its 95 % interval."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return {"mean": float("nan"), "ci95": None, "n": len(known)}
    mean, half = known.mean(), 1.96 * known.std(ddof=1) / np.sqrt(len(known))
    return {"mean": float(mean), "ci95": [float(mean - half), float(mean + half)], "n": len(known)}


def compare(files: dict[str, Path], images: RenderedSet, count: int) -> dict:
    """Run all files over the first pictures; the one called `f32` is what the others are compared with."""
    reference = onnx.load(files["f32"])
    head = head_of(reference)
    runners = {name: Runner(path, head, reference) for name, path in files.items()}
    tallies = {name: Tally() for name in files}
    labels = []
    for label, picture, mask in islice(pictures(images), count):
        labels.append(label)
        for name, runner in runners.items():
            answer, ratio = runner.ask(picture, mask)
            tallies[name].answers.append(answer)
            tallies[name].ratios.append(ratio)
    truth = np.array(labels)
    base_right = np.array(tallies["f32"].answers) == truth
    base_ratio = np.array(tallies["f32"].ratios)
    rows = {}
    for name, tally in tallies.items():
        right = np.array(tally.answers) == truth
        rows[name] = {
            "top1": float(right.mean()),
            "pixel_ratio": float(np.nanmean(tally.ratios)),
            "top1_change": paired(right.astype(float) - base_right),
            "ratio_change": paired(np.array(tally.ratios) - base_ratio),
            "lost": int((base_right & ~right).sum()),
            "gained": int((~base_right & right).sum()),
        }
    return {"pictures": len(truth), "set": f"{images.name}/{images.split}", "networks": rows}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `quantization`."""
    parser.add_argument("manifest", type=Path, help="manifest of the network in f32")
    parser.add_argument("--ours", type=Path, required=True, help="ONNX file that `roadgaze calibrate` wrote")
    parser.add_argument(
        "--calibration", type=Path, required=True, help="rendered set that it was calibrated with (npy)"
    )
    parser.add_argument("--images", type=int, default=300, help="pictures to calibrate with, the first ones")
    parser.add_argument("--method", choices=METHODS, default="minmax", help="of ONNX Runtime; its default is minmax")
    parser.add_argument("--weight-bits", type=int, choices=[7, 8], default=8, help="7 is `reduce_range`")
    parser.add_argument("--check", type=Path, required=True, help="rendered set with masks on which all are compared")
    parser.add_argument("--count", type=int, default=2050, help="pictures of it, the first ones")
    parser.add_argument("--peer", type=Path, help="file of ONNX Runtime; made if it is not there")
    parser.add_argument("--out", type=Path, help="file for the result as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Run the command `quantization`."""
    a = arguments
    stated = tomllib.loads(a.manifest.read_text())
    source = a.manifest.parent / stated["file"]
    images = open_set(a.calibration)
    check_same_pictures(images, a.images, a.ours.with_suffix(".calibration.json"))
    peer = a.peer or a.ours.with_name(f"{a.ours.stem}.onnxruntime-{a.method}-{a.weight_bits}.onnx")
    if not peer.is_file():
        quantize(source, peer, images, a.images, a.method, a.weight_bits)
    onnx.checker.check_model(onnx.load(a.ours), full_check=True)
    result = compare({"f32": source, "roadgaze": a.ours, "onnxruntime": peer}, open_set(a.check), a.count)
    result["peer"] = {"method": a.method, "weight_bits": a.weight_bits, "onnxruntime": onnxruntime.__version__}
    if a.out is not None:
        a.out.write_text(json.dumps(result, indent=1) + "\n")
    for name, row in result["networks"].items():
        top1, ratio = row["top1_change"], row["ratio_change"]
        print(
            f"{name:12} top-1 {100 * row['top1']:.2f} %  change {100 * top1['mean']:+.3f} points "
            f"{[round(100 * v, 3) for v in top1['ci95'] or []]}  pixel ratio {row['pixel_ratio']:.4f}  change "
            f"{ratio['mean']:+.5f} {[round(v, 5) for v in ratio['ci95'] or []]}  {row['lost']} lost, "
            f"{row['gained']} gained"
        )
    return 0
