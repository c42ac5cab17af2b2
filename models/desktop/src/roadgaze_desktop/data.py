"""Rendered sets as tensors: npy shards or folders of pictures, memory-mapped or resident on a device.

A set on disk is what `roadgaze render` writes (see docs/data-sets.md). Pictures stay 8-bit until a batch is made.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
"""ImageNet's mean of R G B in 0..1: not that of the rendered sets, but the one that foreign checkpoints expect."""
STD = (0.229, 0.224, 0.225)
"""ImageNet's standard deviation of R G B in 0..1."""

_CHUNK = 256


@dataclass
class RenderedSet:
    """One split of one set: pictures with their labels, perhaps masks, in the order on disk."""

    folder: Path
    name: str
    """For example `CF`."""
    split: str
    """`train` or `test`."""
    images: Sequence[np.ndarray]
    """Shards, each n H W 3 u8, RGB; memory-mapped where the disk holds npy."""
    labels: np.ndarray
    """Class id of each picture, i64."""
    indices: np.ndarray
    """Index of each picture within its class, i64; with the label the key of the picture."""
    masks: Sequence[np.ndarray] | None = None
    """Shards, each n H W u8: coverage by the sign, 0 to 255."""
    class_names: list[str] = field(default_factory=list)
    """Names by class id; empty if the folder does not say."""
    strength: float | None = None
    """Of the correlation, where it is not that of the set."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> int:
        """Width of the pictures in pixels."""
        return self.images[0].shape[2]

    def per_class(self) -> int:
        """Pictures of the most frequent class."""
        return int(np.bincount(self.labels).max())

    def restricted_to(self, classes: Sequence[int]) -> "RenderedSet":
        """Keep the pictures of these classes alone; ids stay what they are."""
        keep = np.isin(self.labels, list(classes))
        return self._where(keep)

    def first_per_class(self, count: int) -> "RenderedSet":
        """Keep the pictures with an index below `count`."""
        return self._where(self.indices < count)

    def _where(self, keep: np.ndarray) -> "RenderedSet":
        def cut(shards: Sequence[np.ndarray]) -> list[np.ndarray]:
            ends = np.cumsum([len(s) for s in shards])
            parts = np.split(keep, ends[:-1])
            return [s[k] for s, k in zip(shards, parts, strict=True) if k.any()]

        return RenderedSet(
            self.folder,
            self.name,
            self.split,
            cut(self.images),
            self.labels[keep],
            self.indices[keep],
            cut(self.masks) if self.masks is not None else None,
            self.class_names,
            self.strength,
        )

    def chunks(self, size: int, device: torch.device) -> Iterator[tuple[int, Tensor]]:
        """Walk the set: first position and up to 256 pictures, n 3 size size u8, channels last in memory."""
        position = 0
        for shard in self.images:
            for start in range(0, len(shard), _CHUNK):
                part = torch.from_numpy(np.array(shard[start : start + _CHUNK])).to(device)
                yield position, resized(part.permute(0, 3, 1, 2), size)
                position += len(part)

    def resident(self, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Load the whole set at one size: pictures N 3 size size u8 (channels last in memory) and labels N i64."""
        images = torch.empty((len(self), size, size, 3), dtype=torch.uint8, device=device).permute(0, 3, 1, 2)
        for start, part in self.chunks(size, device):
            images[start : start + len(part)] = part
        return images, torch.from_numpy(self.labels).to(device)


def resized(images: Tensor, size: int) -> Tensor:
    """Scale N 3 H W u8 to a square: bilinear with antialias, half to even; nothing is done at the same size."""
    if images.shape[-2:] == (size, size):
        return images
    real = F.interpolate(images.float(), size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return real.round_().clamp_(0, 255).to(torch.uint8)


def normalized(images: Tensor) -> Tensor:
    """From N 3 H W u8 to f32: (x / 255 - mean) / std for each channel."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std


def open_set(folder: Path) -> RenderedSet:
    """Open a set that `roadgaze render` wrote, npy shards or pictures; a `ValueError` says what does not fit."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; render one with `roadgaze render --format npy --out {folder}`")
    name, split, class_names, strength = _identity(folder)
    shards = next(folder.glob("images-*.npy"), None) is not None
    images = _open_shards(folder, name, split) if shards else _open_pictures(folder, name, split)
    images.class_names, images.strength = class_names, strength
    return images


def _identity(folder: Path) -> tuple[str, str, list[str], float | None]:
    description = folder / "dataset.toml"
    if (folder / "dataset.part.toml").is_file() and not description.is_file():
        raise ValueError(f"{folder}: is still being rendered; run the same `roadgaze render` again to finish it")
    if not description.is_file():
        return folder.name, "unknown", [], None
    with description.open("rb") as file:
        table = tomllib.load(file)
    names = [str(n) for n in table.get("class_names", [])]
    strength = table.get("strength")
    dose = None if strength is None else float(strength)
    return str(table.get("set", folder.name)), str(table.get("split", "unknown")), names, dose


def _shards(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}-*.npy"))


def _open_shards(folder: Path, name: str, split: str) -> RenderedSet:
    images = [np.load(p, mmap_mode="r") for p in _shards(folder, "images")]
    labels = np.concatenate([np.load(p) for p in _shards(folder, "labels")]).astype(np.int64)
    masks = [np.load(p, mmap_mode="r") for p in _shards(folder, "masks")] or None
    for shard in images:
        if shard.ndim != 4 or shard.shape[3] != 3 or shard.dtype != np.uint8:
            raise ValueError(f"{folder}: expected images n H W 3 u8, found {shard.shape} {shard.dtype}")
    count = sum(len(s) for s in images)
    if count != len(labels):
        raise ValueError(f"{folder}: {count} images but {len(labels)} labels; render again, a run was cut short")
    stored = _shards(folder, "indices")
    indices = np.concatenate([np.load(p) for p in stored]) if stored else _indices(labels)
    return RenderedSet(folder, name, split, images, labels, indices.astype(np.int64), masks)


def _indices(labels: np.ndarray) -> np.ndarray:
    """Count up within each class, in the order on disk."""
    indices = np.zeros_like(labels)
    for label in np.unique(labels):
        where = labels == label
        indices[where] = np.arange(where.sum())
    return indices


def _open_pictures(folder: Path, name: str, split: str) -> RenderedSet:
    from PIL import Image, ImageOps  # only folders of pictures need it

    files = picture_files(folder)
    if not files:
        raise ValueError(f"{folder}: expected npy shards or folders <id>_<name> with pictures, found neither")
    images = []
    for _, _, path in files:
        with Image.open(path) as picture:
            # a phone writes which way is up beside the pixels
            images.append(np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))[None])
    if len({i.shape for i in images}) != 1:
        raise ValueError(f"{folder}: pictures differ in size; render them with one --size")
    labels = np.array([c for c, _, _ in files], dtype=np.int64)
    indices = np.array([i for _, i, _ in files], dtype=np.int64)
    return RenderedSet(folder, name, split, [np.concatenate(images)], labels, indices)


def picture_files(folder: Path) -> list[tuple[int, int, Path]]:
    """Class id, index and path of every picture below `folder` or its `Cycles`, in the order of the numbers."""
    root = folder / "Cycles" if (folder / "Cycles").is_dir() else folder
    return sorted(
        (int(d.name.split("_")[0]), int(m[1]), p)
        for d in root.iterdir()
        if d.is_dir() and d.name.split("_")[0].isdigit()
        for p in d.iterdir()
        if p.suffix.lower() in (".png", ".jpg", ".jpeg") and (m := re.match(r"(\d+)", p.name))
    )


def joined(sets: Sequence[RenderedSet]) -> RenderedSet:
    """Put several sets into one, for a start common to all networks of an architecture."""
    if len({s.size for s in sets}) != 1:
        raise ValueError(f"sets differ in size: {[(s.name, s.size) for s in sets]}; render them with one --size")
    return RenderedSet(
        sets[0].folder,
        "+".join(s.name for s in sets),
        sets[0].split,
        [shard for s in sets for shard in s.images],
        np.concatenate([s.labels for s in sets]),
        np.concatenate([s.indices for s in sets]),
        [shard for s in sets for shard in s.masks or ()] if all(s.masks is not None for s in sets) else None,
        class_names=sets[0].class_names,
    )
