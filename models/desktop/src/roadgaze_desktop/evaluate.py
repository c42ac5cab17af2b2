"""Top-1 accuracy on a set, with its Wilson 95 % interval."""

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn

from .data import RenderedSet, normalized

Z_95 = 1.959963984540054
"""0.975 quantile of the normal distribution."""


@dataclass(frozen=True)
class Accuracy:
    """A row of the accuracy table."""

    set: str
    split: str
    n: int
    top1: float
    """Share 0..1."""
    low: float
    """Lower end of the Wilson 95 % interval."""
    high: float
    """Upper end."""

    def row(self) -> dict:
        """As plain values."""
        return asdict(self)


def wilson(correct: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval of a share: (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n).

    Wilson, J. Am. Stat. Assoc. 22 (1927) 209, doi:10.1080/01621459.1927.10502953.
    """
    if n == 0:
        return 0.0, 1.0
    p = correct / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


@torch.inference_mode()
def logits_of(network: nn.Module, images: RenderedSet, size: int, device: torch.device) -> np.ndarray:
    """Run the network over a set in f32: N K, in the order on disk."""
    network.eval()
    rows = []
    for _, part in images.chunks(size, device):
        batch = normalized(part).contiguous(memory_format=torch.channels_last)
        rows.append(network(batch).float().cpu().numpy())
    return np.concatenate(rows)


def accuracy(network: nn.Module, images: RenderedSet, size: int, device: torch.device) -> Accuracy:
    """Classify a whole set."""
    predicted = logits_of(network, images, size, device).argmax(axis=1)
    correct = int((predicted == images.labels).sum())
    low, high = wilson(correct, len(images))
    return Accuracy(images.name, images.split, len(images), correct / len(images), low, high)
