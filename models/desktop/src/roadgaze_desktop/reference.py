"""The desktop reference run: PyTorch and Captum over a rendered set, one JSON line an image.

What a run on a device is compared with: predicted class, target output, GradCAM map and, if asked for, Kernel SHAP
along a plan, each with its pixel ratio and the share of the image that the sign covers (the chance level).
"""

import argparse
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from . import attribution
from .architectures import Architecture, architecture
from .checkpoints import load_into
from .data import MEAN, STD, RenderedSet, normalized, open_set
from .snapshots import write_atomically
from .train import RESULT, WEIGHTS, resolve_device

SCHEMA = 1
GREY = (124, 116, 104)
"""ImageNet's mean colour: zero after normalization, and so the baseline that Captum takes by default."""


@dataclass(frozen=True)
class Choice:
    """What is computed for every image."""

    output: str = "logit"
    """`logit` or `probability` of the predicted class."""
    evaluations: int = 0
    """Kernel SHAP evaluations an image; 0 leaves it out."""
    seed: int = 1


def frames(images: RenderedSet, size: int) -> Iterator[tuple[int, int, Tensor, np.ndarray]]:
    """Walk a set with masks: class, index, picture 1 3 H W u8, mask H W bool (coverage above 127)."""
    if images.masks is None:
        raise ValueError(f"{images.folder}: expected masks beside the images; render it with --format npy")
    if images.size != size:
        raise ValueError(f"{images.folder}: pictures of {images.size} pixels, the network takes {size}; render those")
    position = 0
    for pictures, masks in zip(images.images, images.masks, strict=True):
        for picture, mask in zip(pictures, masks, strict=True):
            tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
            yield int(images.labels[position]), int(images.indices[position]), tensor, np.asarray(mask) > 127
            position += 1


def explain(
    network: nn.Module, kind: Architecture, picture: Tensor, mask: np.ndarray, choice: Choice, device: torch.device
) -> dict:
    """Classify and explain one picture; the target is the predicted class."""
    image = normalized(picture.to(device))
    with torch.no_grad():
        logits = network(image)[0]
    target = int(logits.argmax())
    cam = attribution.gradcam(network, kind, image, target, choice.output).cpu().numpy()
    row = {
        "predicted": target,
        "logit": float(logits[target]),
        "probability": float(logits.softmax(0)[target]),
        "coverage": float(mask.mean()),
        "gradcam": {"map": _short(cam), "pixel_ratio": attribution.pixel_ratio(cam, mask)},
    }
    if choice.evaluations:
        plan = attribution.kernel_plan(
            evaluations=choice.evaluations,
            target=target,
            output=choice.output,
            seed=choice.seed,
            baseline=GREY,
            size=image.shape[-1],
        )
        mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
        baseline = (torch.tensor(GREY, device=device).view(1, 3, 1, 1) / 255 - mean) / std
        values = attribution.coalition_values(network, image, baseline, plan, batch=64).cpu().numpy()
        shap = attribution.exact_solution(plan, values).reshape(plan.rows, plan.columns)
        row["kernel_shap"] = {
            "map": _short(shap),
            "pixel_ratio": attribution.pixel_ratio(shap, mask),
            "plan": plan.hash,
        }
    return row


def _short(values: np.ndarray) -> list[list[float]]:
    return [[float(f"{v:.6g}") for v in line] for line in values]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `reference`."""
    parser.add_argument("run", type=Path, help="folder that `train` wrote")
    parser.add_argument("--data", type=Path, required=True, help="rendered set with masks (npy)")
    parser.add_argument("--per-class", type=int, default=200, help="images a class; 200 of CF is the paper's 1/3CF")
    parser.add_argument("--output", choices=attribution.OUTPUTS, default="logit")
    parser.add_argument("--shap-evals", type=int, default=0, help="Kernel SHAP evaluations an image; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, help="file NAME.jsonl.gz")


def main(arguments: argparse.Namespace) -> int:
    """Run the command `reference`."""
    a = arguments
    result = json.loads((a.run / RESULT).read_text())
    kind = architecture(result["architecture"])
    network = kind.build(result["classes"])
    load_into(network, kind, a.run / WEIGHTS)
    device = resolve_device(a.device)
    network = network.to(device).eval()
    images = open_set(a.data).first_per_class(a.per_class)
    choice = Choice(a.output, a.shap_evals, a.seed)
    head = {
        "schema": SCHEMA,
        "architecture": kind.name,
        "training": result["training"],
        "set": f"{images.name}/{images.split}",
        "images": len(images),
        "output": choice.output,
        "shap_evaluations": choice.evaluations,
        "seed": choice.seed,
        "torch": torch.__version__,
    }
    lines, ratios, right = [json.dumps(head)], [], 0
    for label, index, picture, mask in frames(images, result["input"]["width"]):
        row = explain(network, kind, picture, mask, choice, device)
        right += row["predicted"] == label
        ratios.append(row["gradcam"]["pixel_ratio"])
        lines.append(json.dumps({"class": label, "index": index, **row}))
    packed = gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0)
    a.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(a.out, lambda file: file.write(packed))
    known = np.array([r for r in ratios if r is not None])
    spread = 1.96 * known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else float("nan")
    print(
        f"{a.out}: {len(images)} images, top-1 {100 * right / len(images):.2f} %, mean GradCAM pixel ratio "
        f"{known.mean() if len(known) else float('nan'):.4f} +- {spread:.4f}, undefined {len(ratios) - len(known)}"
    )
    return 0
