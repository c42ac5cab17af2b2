"""Augmentation on the device, a whole batch at once. There are no flips: signs are chiral.

Each picture gets its own small zoom, turn and shift (one bilinear resampling) and its own brightness, contrast and
saturation. All draws come from one generator, so a batch is a pure function of its seed.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """Half-widths of the uniform draws; 0 switches a change off."""

    zoom: float = 0.12
    """Scale 1 +- this."""
    turn_degrees: float = 4.0
    """Rotation in the image plane."""
    shift: float = 0.06
    """Share of the image width, both axes."""
    brightness: float = 0.2
    """Factor 1 +- this."""
    contrast: float = 0.2
    """Factor 1 +- this about the mean of the picture."""
    saturation: float = 0.2
    """Factor 1 +- this about the grey value of the pixel."""


NONE = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Batches stay as they are."""


def augmented(images: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Change a batch N 3 H W f32 in 0..1; draws are made on the generator's device and moved."""
    if how == NONE:
        return images
    n = len(images)
    draws = torch.rand((n, 7), generator=generator, device=generator.device).mul_(2).sub_(1).to(images.device)
    images = F.grid_sample(
        images,
        _grid(draws[:, :4], how, images),
        mode="bilinear",
        padding_mode="reflection",
        align_corners=False,
    )
    brightness, contrast, saturation = (
        (1 + draws[:, 4 + i] * width).view(n, 1, 1, 1)
        for i, width in enumerate((how.brightness, how.contrast, how.saturation))
    )
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * saturation
    mean = grey.mean(dim=(2, 3), keepdim=True)
    return ((mean + (images - mean) * contrast) * brightness).clamp_(0, 1)


def _grid(draws: Tensor, how: Augmentation, images: Tensor) -> Tensor:
    scale = 1 / (1 + draws[:, 0] * how.zoom)
    angle = draws[:, 1] * (how.turn_degrees * torch.pi / 180)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    # grid coordinates run over 2 units, so a share of the width counts double
    dx, dy = draws[:, 2] * (2 * how.shift), draws[:, 3] * (2 * how.shift)
    rows = torch.stack([torch.stack([cos, -sin, dx], 1), torch.stack([sin, cos, dy], 1)], 1)
    return F.affine_grid(rows, list(images.shape), align_corners=False)
