"""The desktop reference run: PyTorch and Captum, or ONNX Runtime, over a rendered set, into a run store.

What a run on a device is compared with (`roadgaze compare DEVICE DESKTOP`). With `--plan` of a device run the same
coalitions, target, output and baseline are used, so what differs is numerics alone.
"""

import argparse
import hashlib
import json
import platform
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from . import attribution
from .data import RenderedSet, open_set
from .frame_order import device_order
from .manifest import sha256_of
from .networks import Described, Network, OrtNetwork, TorchNetwork, described
from .run_store import AttributionRow, FrameRow, RunStore, plans_of_run, sketch_of_features, sketch_of_tensor
from .train import resolve_device

METHODS = ("gradcam", "kernel-shap")
SOLVERS = ("captum", "exact")
REGRESSIONS = ("captum", "paired", "leverage")
DEALING = "splitmix64"
"""How plans are dealt to frames, here as on the device (`attribution/plans.rs`)."""


@dataclass(frozen=True)
class Choice:
    """What is computed for every image."""

    methods: tuple[str, ...]
    output: str
    """`logit` or `probability` of the target."""
    target: str
    """`predicted` or `true`."""
    baseline: str
    """`zero`, `mean-colour` or `#RRGGBB`, as in the settings of a run."""
    solver: str
    """`captum`: Captum fits; `exact`: the sum constraint solved in f64, as on the device."""
    estimator: str = "captum"
    plans: tuple[attribution.Plan, ...] = ()

    def plan_of_frame(self, position: int) -> attribution.Plan:
        """The plan that a device deals to the frame at this position (`attribution/plans.rs`)."""
        return self.plans[_mixed(position) * len(self.plans) >> 64]

    @property
    def plan_hash(self) -> str:
        """Hash of all plans, that of a single one its own."""
        hashes = [plan.hash for plan in self.plans]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join([DEALING, *hashes]).encode()).hexdigest()


def frames(images: RenderedSet, size: int) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Walk a set with masks: class, index, picture H W 3 u8, coverage H W 0..1."""
    if images.masks is None:
        raise ValueError(f"{images.folder}: expected masks beside the images; render it with --format npy")
    if images.size != size:
        raise ValueError(f"{images.folder}: pictures of {images.size} pixels, the network takes {size}; render those")
    position = 0
    for pictures, masks in zip(images.images, images.masks, strict=True):
        for picture, mask in zip(pictures, masks, strict=True):
            label, index = int(images.labels[position]), int(images.indices[position])
            yield label, index, np.array(picture), np.asarray(mask, dtype=np.float64) / 255
            position += 1


def name_of(images: RenderedSet) -> str:
    """Name of a set as `roadgaze run` stores it, with strength, corner case and whatever else makes its pictures.

    A study refuses the run if that is not the set it was to be on. A folder without a name is told by set and split.
    """
    description = images.folder / "dataset.toml"
    table = tomllib.loads(description.read_text(encoding="utf-8")) if description.is_file() else {}
    return str(table.get("name", f"{images.name}/{images.split}"))


def _mixed(position: int) -> int:
    """Splitmix64 of a position: 64 bits that look drawn."""
    z = (position + 1) * 0x9E3779B97F4A7C15 % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def plan_from(text: str) -> tuple[attribution.Plan, str]:
    """Coalitions of a plan file (JSON, schema 1) and its estimator; a `ValueError` if it was changed."""
    table = json.loads(text)
    if table.get("schema") != 1 or table["segments"]["kind"] != "grid":
        raise ValueError("plan: expected schema 1 with segments of kind `grid`")
    rows = tuple(tuple(int(v) for v in row) for row in table["coalitions"])
    grid = table["segments"]
    plan = attribution.Plan(
        rows=grid["rows"],
        columns=grid["columns"],
        size=224,
        coalitions=rows,
        weights=tuple(table["weights"]),
        baseline=(0, 0, 0),
        target=0,
        output="logit",
        seed=table["seed"],
    )
    if plan.hash != table["hash"]:
        raise ValueError(f"plan: expected hash {table['hash']}, found {plan.hash}; the coalitions were changed")
    return plan, table.get("estimator", "captum")


def permutation_solution(plan: attribution.Plan, values: np.ndarray) -> np.ndarray:
    """Mean marginal contribution along chains that grow from none to all, M attributions."""
    m = len(plan.coalitions[0])
    z = np.array(plan.coalitions, dtype=np.int8)
    chains = z[2:].reshape(-1, m - 1, m)
    found = np.asarray(values[2:], dtype=np.float64).reshape(-1, m - 1)
    phi = np.zeros(m)
    for chain, outputs in zip(chains, found, strict=True):
        steps = np.diff(np.vstack([np.zeros(m, np.int8), chain, np.ones(m, np.int8)]), axis=0)
        if not ((steps == 1).sum(axis=1) == 1).all() or (steps < 0).any():
            raise ValueError("plan for estimator permutation: expected chains that grow by one; draw it again")
        phi[steps.argmax(axis=1)] += np.diff(np.concatenate([values[1:2], outputs, values[:1]]))
    return phi / len(chains)


def baseline_tensor(choice: str, picture: np.ndarray, what: Described) -> Tensor:
    """Baseline 1 3 H W, normalized, as `harness/src/attribution/picture.rs` makes it."""
    size = picture.shape[0]
    if choice == "zero":
        return torch.zeros(1, 3, size, size)
    if choice == "mean-colour":
        pixels = picture.reshape(-1, 3).astype(np.int64)
        colour = (2 * pixels.sum(axis=0) + len(pixels)) // (2 * len(pixels))
    elif choice.startswith("#"):
        colour = np.array(list(bytes.fromhex(choice[1:])))
    else:
        raise ValueError(f"baseline {choice}: expected zero, mean-colour or #RRGGBB")
    flat = torch.tensor(colour, dtype=torch.uint8).view(1, 3, 1, 1)
    return what.normalized(flat).expand(1, 3, size, size).contiguous()


def measured(method: str, target: int, cells: np.ndarray, cover: np.ndarray, evaluations: int) -> AttributionRow:
    """A map with its ratio, the grid's ceiling and the ratio of the sign evenly lit; nearest upsampling."""
    h, w = cells.shape
    shares = cover.reshape(h, cover.shape[0] // h, w, cover.shape[1] // w).mean(axis=(1, 3))
    ratio = attribution.pixel_ratio(cells, cover) if cover.any() else None
    undefined = None if ratio is not None else ("no_positive" if cover.any() else "empty_mask")
    even = attribution.pixel_ratio(shares, cover)
    return AttributionRow(method, target, cells, ratio, undefined, float(shares.max()), even, evaluations)


def explain(
    network: Network,
    what: Described,
    choice: Choice,
    which: tuple[int, int],
    picture: np.ndarray,
    cover: np.ndarray,
    device: torch.device,
) -> FrameRow:
    """Classify and explain one picture; `which`: its position in the data set and its true class."""
    position, label = which
    stages: dict[str, int] = {}

    def timed(stage: str, call):
        start = time.perf_counter()
        result = call()
        stages[stage] = round((time.perf_counter() - start) * 1e6)
        return result

    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None]
    image = timed("preprocess", lambda: what.normalized(pixels).contiguous().to(device))
    logits, features = timed("network", lambda: network.predict(image))
    target = int(np.argsort(-logits, kind="stable")[0]) if choice.target == "predicted" else label
    rows = []
    if "gradcam" in choice.methods:
        cam = timed("gradcam", lambda: network.gradcam(image, target, choice.output))
        rows.append(measured("gradcam", target, cam, cover, 1))
    if "kernel-shap" in choice.methods and choice.plans:
        plan = replace(choice.plan_of_frame(position), target=target, output=choice.output, size=what.size)
        baseline = baseline_tensor(choice.baseline, picture, what).to(device)
        phi = timed("kernel_shap", lambda: _shap(network, choice, image, baseline, plan))
        rows.append(measured("kernel-shap", target, phi.reshape(plan.rows, plan.columns), cover, len(plan.coalitions)))
    return FrameRow(
        position=position,
        label=label,
        index=0,
        image_hash=hashlib.sha256(picture.tobytes()).hexdigest()[:16],
        mask_share=float(cover.mean()),
        logits=logits,
        tensor=sketch_of_tensor(image[0].detach().cpu().numpy()),
        features=sketch_of_features(features),
        attributions=rows,
        stages=stages,
    )


def _shap(network: Network, choice: Choice, image: Tensor, baseline: Tensor, plan: attribution.Plan) -> np.ndarray:
    if choice.solver == "captum":
        if not isinstance(network, TorchNetwork) or choice.estimator not in REGRESSIONS:
            raise ValueError(
                "solver captum: expected the back end torch and a plan of a regression; use --solver exact"
            )
        return network.captum_shap(image, baseline, plan)
    values = network.values(image, baseline, plan)
    if choice.estimator == "permutation":
        return permutation_solution(plan, values)
    return attribution.exact_solution(plan, values)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `reference`."""
    parser.add_argument("--model", type=Path, required=True, help="manifest of a network, or its ONNX file")
    parser.add_argument("--data", type=Path, required=True, help="rendered set with masks (npy)")
    parser.add_argument(
        "--plan", type=Path, help="plan file, or run folder of a device whose plan and settings are used"
    )
    parser.add_argument("--per-class", type=int, default=200, help="images a class; 200 of CF is the paper's 1/3CF")
    parser.add_argument("--frames", type=int, help="images in all, those that a device takes first; default: all")
    parser.add_argument("--attribute", default="gradcam", help="gradcam, kernel-shap, or both separated by a comma")
    parser.add_argument("--output", choices=attribution.OUTPUTS, help="default: that of the run, or logit")
    parser.add_argument("--solver", choices=SOLVERS, default="exact")
    parser.add_argument("--backend", choices=["torch", "onnxruntime"], default="torch")
    parser.add_argument("--batch", type=int, default=16, help="coalitions a forward pass (torch)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto (torch)")
    parser.add_argument("--out", type=Path, required=True, help="run folder")


def choice_of(a: argparse.Namespace) -> tuple[Choice, list[str]]:
    """What the arguments and the run they name ask for, and the text of the plans."""
    methods = tuple(m.strip() for m in a.attribute.split(","))
    for method in methods:
        if method not in METHODS:
            raise ValueError(f"--attribute: expected {' or '.join(METHODS)}, found `{method}`")
    settings: dict[str, object] = {}
    plans, estimator, texts = [], "captum", []
    if a.plan is not None:
        texts, settings = plans_of_run(a.plan) if a.plan.is_dir() else ([a.plan.read_text()], {})
        for text in texts:
            plan, estimator = plan_from(text)
            plans.append(plan)
    if "kernel-shap" in methods and not plans:
        raise ValueError("--attribute kernel-shap: expected a --plan, found none; name a plan file or a run folder")
    if settings.get("set.upsampling", "nearest") != "nearest":
        raise ValueError(f"--plan: expected a run with upsampling nearest, found {settings['set.upsampling']}")
    baseline = str(settings.get("set.shap.baseline", "zero"))
    colour = settings.get("set.shap.baseline.colour")  # of older runs
    choice = Choice(
        methods=methods,
        output=a.output or str(settings.get("set.shap.output", "logit")),
        target=str(settings.get("set.target", "predicted")),
        baseline=baseline if colour is None else f"#{bytes(colour).hex()}",
        solver=a.solver,
        estimator=estimator,
        plans=tuple(plans),
    )
    wanted = settings.get("hash.plan", choice.plan_hash if plans else None)
    if plans and wanted != choice.plan_hash:
        raise ValueError(f"--plan: expected plans of hash {wanted}, found {choice.plan_hash}; the store was changed")
    return choice, texts


def main(arguments: argparse.Namespace) -> int:
    """Run the command `reference`."""
    a = arguments
    torch.set_num_threads(a.threads)
    torch.backends.cudnn.allow_tf32 = False  # f32 as written: 10 bits of mantissa are no reference
    what = described(a.model)
    choice, texts = choice_of(a)
    device = resolve_device(a.device) if a.backend == "torch" else torch.device("cpu")
    network: Network = TorchNetwork(what, device, a.batch) if a.backend == "torch" else OrtNetwork(what, a.threads)
    images = open_set(a.data).first_per_class(a.per_class)
    count = len(images) if a.frames is None else min(a.frames, len(images))
    data = name_of(images)
    settings = {
        "set.model": what.name,
        "set.data": data,
        "set.target": choice.target,
        "set.gradcam.output": choice.output,
        "set.gradcam.relu": False,
        "set.shap.output": choice.output,
        "set.shap.estimator": choice.estimator,
        "set.shap.solver": choice.solver,
        "set.upsampling": "nearest",
        "hash.model": sha256_of(what.onnx),
        "class_names": images.class_names,
        "data.name": data,
        "frames.asked": count,
        "integer_mac_share": 0.0,
        "backend": a.backend,
        "machine.architecture": platform.machine(),
        "machine.torch": torch.__version__,
        "machine.onnxruntime": onnxruntime.__version__,
        "machine.device": str(device),
        "started_unix": int(time.time()),
    }
    if choice.plans:
        first = choice.plans[0]
        # all that decides the maps, in the words of the device: a study holds what a store tells against its method
        settings |= {
            "hash.plan": choice.plan_hash,
            "set.shap.baseline": choice.baseline,
            "set.shap.grid.rows": first.rows,
            "set.shap.grid.columns": first.columns,
            "set.shap.plans": len(choice.plans),
            "set.shap.precision": None,  # plans are followed to their ends
            "set.shap.seed": first.seed,
        }
    store = RunStore(a.out, settings)
    for plan, text in zip(choice.plans, texts, strict=True):
        store.add_plan(plan.hash, text.encode())
    right, ratios = 0, {m: [] for m in choice.methods}
    # a set on the disk may lie in another order; plans are dealt by the position that a device knows
    order = device_order(images.labels, images.indices)
    wanted, rank = set(order[:count]), {position: r for r, position in enumerate(order)}
    for position, (label, index, picture, cover) in enumerate(frames(images, what.size)):
        if position not in wanted:
            continue
        row = explain(network, what, choice, (rank[position], label), picture, cover, device)
        row.position, row.index = position, index
        store.add(row)
        right += int(np.argsort(-row.logits, kind="stable")[0]) == label
        for found in row.attributions:
            if found.ratio is not None:
                ratios[found.method].append(found.ratio)
    store.set("frames.dropped", {})
    store.close()
    means = ", ".join(f"{m} {np.mean(r):.4f} (n {len(r)})" for m, r in ratios.items() if r)
    print(f"{a.out}: {count} images, top-1 {100 * right / max(count, 1):.2f} %, mean pixel ratio {means}")
    return 0
