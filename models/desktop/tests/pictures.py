"""Small made-up sets for the tests: coloured squares and bars whose colour and place tell the class."""

from pathlib import Path

import numpy as np


def write_set(folder: Path, *, name="CF", split="train", classes=3, per_class=12, size=32, seed=0) -> Path:
    """Write a set as npy shards, two of them, in class order."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    images = rng.integers(90, 130, (classes * per_class, size, size, 3), dtype=np.uint8)
    masks = np.zeros(images.shape[:3], dtype=np.uint8)
    labels = np.repeat(np.arange(classes), per_class).astype(np.uint16)
    for i, label in enumerate(labels):
        x, y = rng.integers(2, size // 3, 2)
        side = size // 2
        colour = [(230, 20, 20), (20, 230, 20), (20, 20, 230)][label % 3]
        images[i, y : y + side, x : x + side] = colour
        masks[i, y : y + side, x : x + side] = 255
    half = len(labels) // 2
    for shard, part in enumerate((slice(None, half), slice(half, None))):
        np.save(folder / f"images-{shard:05}.npy", images[part])
        np.save(folder / f"masks-{shard:05}.npy", masks[part])
        np.save(folder / f"labels-{shard:05}.npy", labels[part])
    (folder / "dataset.toml").write_text(f'set = "{name}"\nsplit = "{split}"\n')
    return folder


def write_catalogue(path: Path, classes=3) -> Path:
    """Write a catalogue of that many signs, of the shapes in turn."""
    shapes = ("circular", "triangular", "rectangular")
    path.write_text(
        "".join(f'[[sign]]\nid = {i}\nname = "Zeichen{i}"\nshape = "{shapes[i % 3]}"\n\n' for i in range(classes))
    )
    return path
