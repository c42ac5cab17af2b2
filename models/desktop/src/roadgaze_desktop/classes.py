"""The list of classes: names in the order of their ids, their shapes, and the hash that a manifest carries."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ClassList:
    """Names by class id, and the shape of each sign."""

    names: tuple[str, ...]
    shapes: tuple[str, ...]
    """`circular`, `triangular`, `rectangular` or `other`."""

    @property
    def hash(self) -> str:
        """Hexadecimal sha256 of the names joined by line feeds."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()

    def of_shape(self, shape: str) -> list[int]:
        """Ids of the signs of one shape."""
        return [i for i, s in enumerate(self.shapes) if s == shape]


def read_catalogue(path: Path) -> ClassList:
    """Read `datasets/signs/catalogue.toml`; a `ValueError` says what is wrong with it."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected the sign catalogue, give it with --catalogue")
    with path.open("rb") as file:
        table = tomllib.load(file)
    signs = sorted(next((v for v in table.values() if isinstance(v, list)), []), key=lambda s: s["id"])
    if [s["id"] for s in signs] != list(range(len(signs))) or not signs:
        raise ValueError(f"{path}: expected signs with ids 0, 1, 2, ..., found {[s['id'] for s in signs][:5]} ...")
    return ClassList(
        tuple(str(s["name"]) for s in signs),
        tuple(str(s.get("shape", "other")).lower() for s in signs),
    )
