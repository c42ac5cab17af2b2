"""The manifest beside an ONNX file: what the network is and how it wants its input. Fields: models/zoo/README.md."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

SCHEMA = 1
LICENCE = "MIT OR Apache-2.0"


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest(
    *,
    name: str,
    model: Path,
    precision: str,
    result: dict,
    class_hash: str,
    feature_map: str,
    head: dict,
    resize: str = "bilinear-antialias",
) -> dict[str, Any]:
    """Build the manifest of an exported network from what its training wrote (`result.json`)."""
    return {
        "schema": SCHEMA,
        "name": name,
        "architecture": result["architecture"],
        "file": model.name,
        "sha256": sha256_of(model),
        "precision": precision,
        "feature_map": feature_map,
        "date": result["date"],
        "licence": LICENCE,
        "input": {**result["input"], "channel_order": "rgb", "resize": resize},
        "classes": {"count": result["classes"], "hash": class_hash},
        "head": head,
        "training": result["training"],
        "accuracy": [
            {
                "set": f"{row['set']}/{row['split']}",
                "n": row["n"],
                "top1": round(row["top1"], 6),
                "ci95": [round(row["low"], 6), round(row["high"], 6)],
            }
            for row in result["accuracy"]
        ],
    }


def to_toml(table: dict[str, Any]) -> str:
    """Write nested tables of plain values as TOML, in the order given: values, tables, arrays of tables."""
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]"] + [f"{k} = {_value(v)}" for k, v in value.items()]
        elif _is_table(value):
            for row in value:
                lines += ["", f"[[{key}]]"] + [f"{k} = {_value(v)}" for k, v in row.items()]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"expected a finite number, found {value}")
        return repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    raise ValueError(f"expected a plain value, found {type(value).__name__}")
