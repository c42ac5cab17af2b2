"""What PyTorch and Captum make of rendered pictures, along one plan: the reference for the tests in Rust.

Networks are the micro networks of `goldens`; pictures are those of a set that `roadgaze render --format npy` wrote.
Everything runs in f64, because the f32 regression of Captum is itself 1e-4 away from its f64 one. Pictures are not
stored: the tests render them, and their sha256 tells whether both sides saw the same.
"""

import argparse
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import attribution
from .architectures import ARCHITECTURES
from .data import MEAN, STD, RenderedSet, normalized, open_set
from .goldens import NETWORKS, network_of, picture, rounded, tensor_of, versions

PICTURES = 20
EVALUATIONS = 150
SEED = 4
GREY = (124, 116, 104)
LEAST_SPAN = 0.01
"""Least difference between the outputs for picture and baseline; an untrained network tells some pictures from the
baseline by so little that a share of the difference says nothing."""


def chosen(images: RenderedSet) -> list[tuple[int, int, np.ndarray]]:
    """Class, index and pixels of the candidates: the first picture of each class, every fourth class first."""
    pixels = [np.asarray(shard) for shard in images.images]
    all_pictures = np.concatenate(pixels)
    found = []
    for position in range(len(images)):
        label, index = int(images.labels[position]), int(images.indices[position])
        if index == 0:
            found.append((label, index, all_pictures[position]))
    found.sort(key=lambda row: (row[0] % 4, row[0]))
    if len(found) < PICTURES:
        raise ValueError(f"{images.folder}: expected index 0 of {PICTURES} classes, found {len(found)} such pictures")
    return found


def inputs(pixels: np.ndarray) -> Tensor:
    """From H W 3 u8 to the network's input 1 3 H W in f64, rounded to f32 on the way as the device does."""
    return normalized(torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]).double()


def colour(rgb: tuple[int, int, int]) -> Tensor:
    """Normalized colour 1 3 1 1, rounded to f32 as the device does."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return ((torch.tensor(rgb).view(1, 3, 1, 1).float() / 255 - mean) / std).double()


def make(out: Path, data: Path) -> None:
    """Write the plan and one file a family."""
    torch.set_num_threads(1)
    images = open_set(data)
    rows = chosen(images)
    seen = normalized(tensor_of(picture(224, 224)))
    plan = attribution.kernel_plan(evaluations=EVALUATIONS, target=0, output="logit", seed=SEED, baseline=GREY)
    (out / "plan.json").write_text(plan.to_json() + "\n")
    for family, name in NETWORKS.items():
        kind = ARCHITECTURES[name]
        network = network_of(kind, seen).double()
        results = []
        for label, index, pixels in rows:
            if len(results) == PICTURES:
                break
            image = inputs(pixels)
            with torch.no_grad():
                target = int(network(image)[0].argmax())
            own = replace(plan, target=target)
            values = attribution.coalition_values(network, image, colour(GREY), own)
            span = float(values[0] - values[1])
            if abs(span) < LEAST_SPAN:
                continue
            shap = attribution.kernel_shap(network, image, colour(GREY), own, double_fit=True)
            results.append(
                {
                    "class": label,
                    "index": index,
                    "sha256": hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest(),
                    "target": target,
                    "span": span,
                    "gradcam": {
                        output: rounded(attribution.gradcam(network, kind, image, target, output).flatten(), 10)
                        for output in attribution.OUTPUTS
                    },
                    "kernel_shap": rounded(shap.double(), 10),
                }
            )
        table = {"network": f"{name}.onnx", "set": images.name, "split": images.split, "pictures": results}
        (out / f"{family}.json").write_text(json.dumps({**table, "tools": versions()}, separators=(",", ":")) + "\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `parity`."""
    parser.add_argument("--data", type=Path, required=True, help="CF/test, rendered as npy, at least one image a class")
    parser.add_argument("--out", type=Path, default=Path("tests/golden/parity"))


def main(arguments: argparse.Namespace) -> int:
    """Run the command `parity`."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    make(arguments.out, arguments.data)
    print(f"{arguments.out}: {sum(p.stat().st_size for p in arguments.out.iterdir())} bytes written")
    return 0
