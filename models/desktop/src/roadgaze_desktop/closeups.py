"""Close-ups of the signs: square windows about the masks, scaled to one small size.

A network that starts from nothing learns the 82 signs several times faster from close-ups at 64 pixels than from
whole pictures, and it learns them from the sign alone: the start that networks of both kinds of sets can share.
"""

import numpy as np
import torch
from torch import Tensor

from .data import RenderedSet, resized

MARGIN = 1.3
"""Side of the window in units of the longer side of the sign."""
_INSIDE = 127
"""The binary mask is coverage above this."""


def window(mask: np.ndarray) -> tuple[int, int, int]:
    """Left, top and side in pixels of the square about a mask H W u8, moved into the picture.

    Raises `ValueError` for a mask without a pixel above 127.
    """
    rows, columns = np.flatnonzero((mask > _INSIDE).any(1)), np.flatnonzero((mask > _INSIDE).any(0))
    if len(rows) == 0:
        raise ValueError("expected a mask with pixels above 127, found none")
    height, width = mask.shape
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    side = int(min(round(extent * MARGIN), width, height))
    left = int(np.clip((columns[0] + columns[-1] + 1 - side) // 2, 0, width - side))
    top = int(np.clip((rows[0] + rows[-1] + 1 - side) // 2, 0, height - side))
    return left, top, side


def closeups(images: RenderedSet, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cut all signs out: pictures N 3 size size u8 (channels last in memory) and labels N i64.

    Raises `ValueError` if the set has no masks or one of them is empty.
    """
    if images.masks is None:
        raise ValueError(f"{images.folder}: no masks, which close-ups need; render the set with `roadgaze render`")
    cut = torch.empty((len(images), size, size, 3), dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
    at = 0
    for pictures, masks in zip(images.images, images.masks, strict=True):
        for picture, mask in zip(pictures, masks, strict=True):
            try:
                left, top, side = window(mask)
            except ValueError as error:
                key = f"class {images.labels[at]}, index {images.indices[at]}"
                raise ValueError(f"{images.folder}: {key}: {error}") from None
            part = np.array(picture[top : top + side, left : left + side])
            cut[at] = resized(torch.from_numpy(part).permute(2, 0, 1)[None], size)[0]
            at += 1
    return cut, torch.from_numpy(images.labels).to(device)
