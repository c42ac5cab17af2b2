"""Large files in small pieces with hashes, for a channel that carries only small files, a few at a time.

`NAME.part-000-of-003` and so on, with `NAME.pieces.json` beside them: size and sha256 of the whole and of each piece.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from .manifest import sha256_of
from .snapshots import write_atomically, write_json

MIB = 1 << 20
PIECE_BYTES = 16 * MIB - 4096
"""A little below 16 MiB: channels count headers too."""
_INDEX = ".pieces.json"


def split(path: Path, folder: Path, piece_bytes: int = PIECE_BYTES) -> list[Path]:
    """Write the pieces of a file and their index into `folder`; returns them, the index first."""
    folder.mkdir(parents=True, exist_ok=True)
    size = path.stat().st_size
    count = max(1, -(-size // piece_bytes))
    pieces = []
    with path.open("rb") as whole:
        for i in range(count):
            piece = folder / f"{path.name}.part-{i:03}-of-{count:03}"
            content = whole.read(piece_bytes)
            write_atomically(piece, lambda file, content=content: file.write(content))
            pieces.append(piece)
    index = folder / (path.name + _INDEX)
    table = {
        "schema": 1,
        "name": path.name,
        "bytes": size,
        "sha256": sha256_of(path),
        "pieces": [{"name": p.name, "bytes": p.stat().st_size, "sha256": sha256_of(p)} for p in pieces],
    }
    write_json(index, table)
    return [index, *pieces]


def missing(index: Path, folders: list[Path]) -> list[str]:
    """Names of the pieces that lie, whole, in none of the folders."""
    table = json.loads(index.read_text())
    return [p["name"] for p in table["pieces"] if _find(p, folders) is None]


def join(index: Path, folders: list[Path], out: Path) -> Path:
    """Put a file together from pieces in any of the folders; `ValueError` names what is missing or damaged."""
    table = json.loads(index.read_text())
    absent = missing(index, folders)
    if absent:
        raise ValueError(f"{index}: {len(absent)} pieces missing or damaged: {', '.join(absent[:3])}; fetch them again")
    out.mkdir(parents=True, exist_ok=True)
    path = out / table["name"]

    def write(file) -> None:
        for piece in table["pieces"]:
            file.write(_find(piece, folders).read_bytes())

    write_atomically(path, write)
    if sha256_of(path) != table["sha256"]:
        path.unlink()
        raise ValueError(f"{index}: the joined file has another sha256 than stated; split it again")
    return path


def _find(piece: dict, folders: list[Path]) -> Path | None:
    for folder in folders:
        path = folder / piece["name"]
        if path.is_file() and path.stat().st_size == piece["bytes"] and sha256_of(path) == piece["sha256"]:
            return path
    return None


@dataclass
class Outbox:
    """Files that wait to be carried away, in order, and a ledger of those that were."""

    folder: Path

    @property
    def _ledger(self) -> Path:
        return self.folder / "delivered.json"

    def delivered(self) -> list[str]:
        """Names of the files that were handed over before."""
        return json.loads(self._ledger.read_text()) if self._ledger.is_file() else []

    def add(self, path: Path, piece_bytes: int = PIECE_BYTES) -> None:
        """Queue a file behind those that wait."""
        parts = split(path, self.folder, piece_bytes)
        order = [*self.order(), *[p.name for p in parts if p.name not in self.order()]]
        write_json(self.folder / "order.json", order)

    def order(self) -> list[str]:
        """Names of all files ever queued, first come first."""
        order = self.folder / "order.json"
        return json.loads(order.read_text()) if order.is_file() else []

    def waiting(self) -> list[str]:
        """Names of the files that were not handed over yet."""
        done = set(self.delivered())
        return [n for n in self.order() if n not in done]

    def hand_over(self, out: Path, max_files: int, max_bytes: int) -> list[str]:
        """Copy waiting files into `out`, in order, as many as fit, and enter them in the ledger."""
        out.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        taken: list[str] = []
        left = max_bytes
        for name in self.waiting():
            content = (self.folder / name).read_bytes()
            if len(taken) == max_files or len(content) > left:
                break
            (out / name).write_bytes(content)
            taken.append(name)
            left -= len(content)
        write_json(self._ledger, self.delivered() + taken)
        return taken


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `pieces`."""
    parser.add_argument("action", choices=["split", "join"])
    parser.add_argument("file", type=Path, help="file to split, or index (.pieces.json) to join")
    parser.add_argument("--from", dest="folders", type=Path, nargs="*", default=[], help="folders with pieces")
    parser.add_argument("--out", type=Path, required=True)


def main(arguments: argparse.Namespace) -> int:
    """Run the command `pieces`."""
    a = arguments
    if not a.file.is_file():
        raise ValueError(f"{a.file}: no such file")
    if a.action == "split":
        print(f"{len(split(a.file, a.out)) - 1} pieces and their index in {a.out}")
    else:
        print(join(a.file, [a.file.parent, *a.folders], a.out))
    return 0
