"""Training state on disk: written whole or not at all, so that a killed run continues where it was.

No state of a random generator is kept: every batch is a pure function of (seed, stage, step), see `train`.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

SCHEMA = 1


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a neighbouring file, flush it to the disk, and move it into place."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    text = json.dumps(value, indent=1) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a snapshot."""
    write_atomically(path, lambda file: torch.save({"schema": SCHEMA, **state}, file))


def load(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Read the snapshot at `path` if there is one; `ValueError` if it belongs to other settings."""
    if not path.is_file():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["schema"] != SCHEMA:
        raise ValueError(f"{path}: schema {state['schema']}, expected {SCHEMA}; delete it to start again")
    known = state["settings"]
    differing = [k for k in known | settings if known.get(k) != settings.get(k)]
    if differing:
        raise ValueError(
            f"{path}: belongs to a run with other {', '.join(differing)}; choose another --out or delete it"
        )
    return state
