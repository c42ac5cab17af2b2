"""Close-ups of the signs: square windows about the masks, a start that networks of both kinds of sets can share.

`closeup` windows fit the sign and are scaled to one small size: a network that starts from nothing learns the 82 signs
several times faster from 64 pixels of them than from whole pictures. `native` windows have a fixed size and the scale
of the whole picture: what was learnt from small signs does not hold for large ones (97 % on whole pictures at 128
pixels became 25 % at 224), and these windows teach the final scale at a third of the cost of whole pictures.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from .data import RenderedSet, resized

NATIVE_MARGIN = 1.1
"""The same for native windows: a larger sign is shown whole, at a smaller scale."""
MARGIN = 1.3
"""Side of the window in units of the longer side of the sign."""
_INSIDE = 127
"""The binary mask is coverage above this."""


def window(mask: np.ndarray, least: int = 0) -> tuple[int, int, int]:
    """Left, top and side (at least `least`) in pixels of the square about a mask H W u8, moved into the picture.

    Raises `ValueError` for a mask without a pixel above 127.
    """
    rows, columns = np.flatnonzero((mask > _INSIDE).any(1)), np.flatnonzero((mask > _INSIDE).any(0))
    if len(rows) == 0:
        raise ValueError("expected a mask with pixels above 127, found none")
    height, width = mask.shape
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    side = int(min(max(round(extent * (MARGIN if least == 0 else NATIVE_MARGIN)), least), width, height))
    left = int(np.clip((columns[0] + columns[-1] + 1 - side) // 2, 0, width - side))
    top = int(np.clip((rows[0] + rows[-1] + 1 - side) // 2, 0, height - side))
    return left, top, side


def closeups(images: RenderedSet, size: int, device: torch.device, native: bool = False) -> tuple[Tensor, Tensor]:
    """Cut all signs out: pictures N 3 size size u8 (channels last in memory) and labels N i64.

    Raises `ValueError` if the set has no masks or one of them is empty.
    """
    if images.masks is None:
        raise ValueError(f"{images.folder}: no masks, which close-ups need; render the set with `roadgaze render`")
    cut = torch.empty((len(images), size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    pairs = [pair for shards in zip(images.images, images.masks, strict=True) for pair in zip(*shards, strict=True)]

    def cut_out(at: int) -> None:
        picture, mask = pairs[at]
        try:
            left, top, side = window(mask, size if native else 0)
        except ValueError as error:
            key = f"class {images.labels[at]}, index {images.indices[at]}"
            raise ValueError(f"{images.folder}: {key}: {error}") from None
        part = np.array(picture[top : top + side, left : left + side])
        cut[at] = resized(torch.from_numpy(part).permute(2, 0, 1)[None], size)[0]

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for _ in pool.map(cut_out, range(len(pairs))):
            pass
    return cut.to(device), torch.from_numpy(images.labels).to(device)
