"""GradCAM and Kernel SHAP by Captum, with the two things that make runs comparable: a plan and a ratio.

A plan fixes the coalitions, their weights, the baseline and the target before anything is evaluated. Device and
desktop consume the same plan, so what differs between them is numerics alone.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression
from captum.attr import KernelShap, LayerGradCam
from torch import Tensor, nn

from .architectures import Architecture

END_WEIGHT = 1e6
"""Captum's stand-in for the infinite weight of the full and the empty coalition."""
OUTPUTS = ("logit", "probability")


@dataclass(frozen=True)
class Plan:
    """Which coalitions of super-pixels are evaluated, in order."""

    rows: int
    """Super-pixels down the image."""
    columns: int
    """Super-pixels across."""
    size: int
    """Pixels of the square input; a multiple of rows and columns."""
    coalitions: tuple[tuple[int, ...], ...]
    """S rows of M zeros and ones, row by row of the image; 1 keeps. All ones first, all zeros second."""
    weights: tuple[float, ...]
    """Weight of each coalition in the regression, S values."""
    baseline: tuple[int, int, int]
    """Colour R G B of a removed super-pixel, 0 to 255, before normalization."""
    target: int
    """Class that is explained."""
    output: str
    """`logit` or `probability`."""
    seed: int

    @property
    def hash(self) -> str:
        """Hexadecimal sha256 of the coalitions: each row as `0` and `1` characters, joined by line feeds."""
        text = "\n".join("".join(map(str, row)) for row in self.coalitions)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """Write the plan file."""
        table = asdict(self)
        segments = {k: table.pop(k) for k in ("rows", "columns", "size")}
        return json.dumps({"schema": 1, "segments": {"kind": "grid", **segments}, **table, "hash": self.hash})

    @staticmethod
    def from_json(text: str) -> "Plan":
        """Read a plan file; `ValueError` if its hash is not that of its coalitions."""
        table = json.loads(text)
        segments = table.pop("segments")
        stated = table.pop("hash")
        if table.pop("schema") != 1 or segments.pop("kind") != "grid":
            raise ValueError("plan: expected schema 1 with segments of kind `grid`")
        table["coalitions"] = tuple(tuple(row) for row in table["coalitions"])
        plan = Plan(
            **segments, **{k: tuple(v) if isinstance(v, list) and k != "coalitions" else v for k, v in table.items()}
        )
        if plan.hash != stated:
            raise ValueError(f"plan: expected hash {stated}, found {plan.hash}; the coalitions were changed")
        return plan

    def segments(self) -> Tensor:
        """Id of the super-pixel of every pixel, 1 1 H W i64."""
        down = torch.arange(self.size) // (self.size // self.rows)
        across = torch.arange(self.size) // (self.size // self.columns)
        return (down[:, None] * self.columns + across[None, :])[None, None]


def kernel_plan(
    *,
    evaluations: int,
    target: int,
    output: str,
    seed: int,
    baseline: tuple[int, int, int],
    grid: int = 7,
    size: int = 224,
) -> Plan:
    """Draw coalitions by the Shapley kernel: size k with p(k) ~ 1 / (k (M - k)), then a uniform subset; no repeats.

    Lundberg and Lee, arXiv 1705.07874, theorem 2. Deviation from Captum: a coalition that was drawn before is drawn
    anew, and the generator is numpy's PCG64.
    """
    m = grid * grid
    rng = np.random.default_rng(seed)
    sizes = np.arange(1, m)
    law = 1 / (sizes * (m - sizes))
    drawn = {tuple([1] * m): None, tuple([0] * m): None}
    while len(drawn) < evaluations:
        row = np.zeros(m, dtype=int)
        row[rng.permutation(m)[: rng.choice(sizes, p=law / law.sum())]] = 1
        drawn.setdefault(tuple(int(x) for x in row), None)
    weights = [END_WEIGHT, END_WEIGHT] + [1.0] * (evaluations - 2)
    return Plan(grid, grid, size, tuple(drawn), tuple(weights), baseline, target, output, seed)


class Scored(nn.Module):
    """A network with the output that is explained: logits, or probabilities."""

    def __init__(self, network: nn.Module, output: str):
        super().__init__()
        if output not in OUTPUTS:
            raise ValueError(f"output `{output}`: expected one of {', '.join(OUTPUTS)}")
        self.network = network
        self.output = output

    def forward(self, images: Tensor) -> Tensor:
        """From N 3 H W to N K."""
        logits = self.network(images)
        return logits if self.output == "logit" else logits.softmax(dim=1)


def gradcam(network: nn.Module, kind: Architecture, image: Tensor, target: int, output: str) -> Tensor:
    """Captum's LayerGradCam on the last feature map, 1 3 H W to h w, signed (no ReLU)."""
    explainer = LayerGradCam(Scored(network, output), kind.feature_layer(network))
    return explainer.attribute(image, target=target, relu_attributions=False).detach()[0, 0]


class _PlannedKernelShap(KernelShap):
    """Captum's Kernel SHAP, given its coalitions instead of drawing them."""

    def __init__(self, forward: nn.Module, plan: Plan):
        super().__init__(forward)
        self._plan = plan
        self._given = iter(plan.weights)
        self.perturb_func = self._planned
        self.similarity_func = self._weight

    def _planned(self, original: Tensor, **_: object) -> Iterator[Tensor]:
        for row in self._plan.coalitions:
            yield torch.tensor([row], device=original.device)

    def _weight(self, _original: Tensor, _perturbed: Tensor, _coalition: Tensor, **_: object) -> Tensor:
        return torch.tensor([next(self._given)])


class _DoubleFit(SkLearnLinearRegression):
    """Captum's regression on the same rows, but in f64: its own, in f32, is 1e-4 and more of the span away."""

    def fit(self, train_data, **kwargs):
        return super().fit([tuple(t.double() for t in rows) for rows in train_data], **kwargs)


def kernel_shap(
    network: nn.Module, image: Tensor, baseline: Tensor, plan: Plan, batch: int = 16, double_fit: bool = False
) -> Tensor:
    """Attributions M of a normalized image 1 3 H W by Captum, along the plan; `baseline` is 1 3 1 1, normalized."""
    explainer = _PlannedKernelShap(Scored(network, plan.output), plan)
    if double_fit:
        explainer.interpretable_model = _DoubleFit()
    with torch.no_grad():
        return explainer.attribute(
            image,
            baselines=baseline.expand_as(image),
            target=plan.target,
            feature_mask=plan.segments().to(image.device).expand_as(image),
            n_samples=len(plan.coalitions),
            perturbations_per_eval=batch,
            return_input_shape=False,
        )[0]


@torch.no_grad()
def coalition_values(network: nn.Module, image: Tensor, baseline: Tensor, plan: Plan, batch: int = 16) -> Tensor:
    """Output of the target for every coalition of the plan, S values."""
    scored = Scored(network, plan.output)
    kept = torch.tensor(plan.coalitions, device=image.device)
    segments = plan.segments()[0, 0].to(image.device)
    values = []
    for rows in kept.split(batch):
        mask = rows[:, segments][:, None].to(image.dtype)
        values.append(scored(mask * image + (1 - mask) * baseline)[:, plan.target])
    return torch.cat(values)


def exact_solution(plan: Plan, values: np.ndarray) -> np.ndarray:
    """Weighted least squares in f64 whose attributions sum exactly to v(all) - v(none).

    With b = v(none), d = v(all) - b, rows z and weights w of the sampled coalitions: minimise
    sum w (z phi - (v - b))^2 under sum phi = d, by eliminating the last attribution.
    """
    z = np.array(plan.coalitions, dtype=np.float64)
    v = np.asarray(values, dtype=np.float64)
    full, empty = v[0], v[1]
    z, v, w = z[2:], v[2:], np.sqrt(np.array(plan.weights[2:]))
    left = (z[:, :-1] - z[:, -1:]) * w[:, None]
    right = (v - empty - z[:, -1] * (full - empty)) * w
    phi = np.linalg.lstsq(left, right, rcond=None)[0]
    return np.append(phi, full - empty - phi.sum())


def pixel_ratio(attribution: np.ndarray, mask: np.ndarray) -> float | None:
    """Positive attribution inside the sign over all positive attribution; `None` if there is none.

    `attribution` is h w, each cell spread evenly over its pixels (nearest upsampling); `mask` H W bool, or coverage 0
    to 1, with H and W multiples of h and w. arXiv 2512.05937.
    """
    h, w = attribution.shape
    covered = mask.reshape(h, mask.shape[0] // h, w, mask.shape[1] // w).mean(axis=(1, 3))
    positive = np.clip(attribution.astype(np.float64), 0, None)
    total = positive.sum()
    return float((positive * covered).sum() / total) if total > 0 else None
