"""The run store of the device (SQLite, schema 2), written by the desktop.

The tables are those of `harness/src/store/write.rs`; a test compares the two texts. Values of settings are JSON,
numbers in blobs f32 little-endian.
"""

import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SCHEMA = 2
FILE_NAME = "run.sqlite"
RASTER = 12
"""Points of the tensor's sketch on each axis."""
FEATURES = 512
"""Most values kept of a feature map."""
TABLES = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE plan (hash TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE frame (
    position INTEGER PRIMARY KEY,
    class INTEGER NOT NULL,
    class_index INTEGER NOT NULL,
    shape TEXT NOT NULL,
    environment TEXT NOT NULL,
    image_hash TEXT NOT NULL,
    mask_share REAL NOT NULL,
    top5 TEXT NOT NULL,
    correct INTEGER NOT NULL,
    confidence REAL NOT NULL,
    logits BLOB NOT NULL,
    tensor BLOB NOT NULL,
    features BLOB NOT NULL
) STRICT;
CREATE TABLE attribution (
    position INTEGER NOT NULL REFERENCES frame(position),
    method TEXT NOT NULL,
    target INTEGER NOT NULL,
    grid_rows INTEGER NOT NULL,
    grid_columns INTEGER NOT NULL,
    map BLOB NOT NULL,
    pixel_ratio REAL,
    undefined TEXT,
    ceiling REAL NOT NULL,
    proportional REAL,
    evaluations INTEGER NOT NULL,
    pointing REAL,
    relevance_rank REAL,
    inside REAL,
    border REAL,
    inside_area REAL,
    border_area REAL,
    ratio_error REAL,
    sample_units INTEGER,
    cross_fit REAL,
    map_error BLOB NOT NULL,
    PRIMARY KEY (position, method)
) STRICT;
CREATE TABLE stage_time (
    position INTEGER NOT NULL REFERENCES frame(position),
    stage TEXT NOT NULL,
    micros INTEGER NOT NULL,
    PRIMARY KEY (position, stage)
) STRICT;
CREATE TABLE preview (
    position INTEGER PRIMARY KEY REFERENCES frame(position),
    jpeg BLOB NOT NULL,
    mask_png BLOB NOT NULL
) STRICT;
"""


@dataclass
class AttributionRow:
    """One explanation of a frame."""

    method: str
    target: int
    map: np.ndarray
    """h w."""
    ratio: float | None
    undefined: str | None
    ceiling: float
    proportional: float | None
    evaluations: int


@dataclass
class FrameRow:
    """Everything stored of one frame."""

    position: int
    label: int
    index: int
    image_hash: str
    mask_share: float
    logits: np.ndarray
    tensor: np.ndarray
    """Sketch of the input tensor."""
    features: np.ndarray
    """Sketch of the feature map."""
    attributions: list[AttributionRow] = field(default_factory=list)
    stages: dict[str, int] = field(default_factory=dict)
    """Microseconds by stage."""


def sketch_of_tensor(tensor: np.ndarray) -> np.ndarray:
    """Points of 3 H W on a raster, channel by channel: 3 RASTER^2 values."""
    _, height, width = tensor.shape
    rows = (2 * np.arange(RASTER) + 1) * height // (2 * RASTER)
    columns = (2 * np.arange(RASTER) + 1) * width // (2 * RASTER)
    return tensor[:, rows][:, :, columns].ravel()


def sketch_of_features(values: np.ndarray) -> np.ndarray:
    """At most FEATURES values, spread evenly."""
    flat = values.ravel()
    count = min(flat.size, FEATURES)
    return flat[np.arange(count) * flat.size // count] if count else flat


class RunStore:
    """A new run store; each frame goes in by one transaction."""

    def __init__(self, folder: Path, settings: dict[str, object]):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / FILE_NAME
        if self.path.exists():
            raise ValueError(f"{self.path}: this folder already holds a run; choose another --out")
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = wal")
        self.db.execute("PRAGMA synchronous = full")
        self.db.execute("BEGIN")
        for statement in TABLES.split(";"):
            if statement.strip():
                self.db.execute(statement)
        rows = [(name, json.dumps(value)) for name, value in settings.items()]
        self.db.executemany("INSERT INTO setting VALUES (?, ?)", rows)
        self.db.execute(f"PRAGMA user_version = {SCHEMA}")
        self.db.execute("COMMIT")

    def set(self, name: str, value: object) -> None:
        """Store a setting."""
        self.db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(value)))

    def add_plan(self, name: str, body: bytes) -> None:
        """Store a coalition plan under its hash."""
        self.db.execute("INSERT OR IGNORE INTO plan VALUES (?, ?)", (name, body))

    def add(self, row: FrameRow) -> None:
        """Store a frame with all that belongs to it."""
        best = np.argsort(-row.logits, kind="stable")[:5]
        powers = np.exp(row.logits.astype(np.float64) - float(row.logits.max()))
        frame = {
            "position": row.position,
            "class": row.label,
            "class_index": row.index,
            "shape": "",
            "environment": "",
            "image_hash": row.image_hash,
            "mask_share": row.mask_share,
            "top5": ",".join(str(int(c)) for c in best),
            "correct": int(best[0] == row.label),
            "confidence": float(powers[best[0]] / powers.sum()),
            "logits": _blob(row.logits),
            "tensor": _blob(row.tensor),
            "features": _blob(row.features),
        }
        self.db.execute("BEGIN")
        self._insert("frame", frame)
        for a in row.attributions:
            attribution = {
                "position": row.position,
                "method": a.method,
                "target": a.target,
                "grid_rows": a.map.shape[0],
                "grid_columns": a.map.shape[1],
                "map": _blob(a.map),
                "pixel_ratio": a.ratio,
                "undefined": a.undefined,
                "ceiling": a.ceiling,
                "proportional": a.proportional,
                "evaluations": a.evaluations,
                "map_error": b"",
            }
            self._insert("attribution", attribution)
        for stage, micros in row.stages.items():
            self._insert("stage_time", {"position": row.position, "stage": stage, "micros": micros})
        self.db.execute("COMMIT")

    def _insert(self, table: str, values: dict[str, object]) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))

    def close(self) -> None:
        """Finish writing."""
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()


def _blob(values: np.ndarray) -> bytes:
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def plans_of_run(folder: Path) -> tuple[list[str], dict[str, object]]:
    """Coalition plans (JSON) in the order in which they are dealt out, and settings of a run on the device."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise ValueError(f"{path}: expected the store of a run, found none")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        settings = {name: json.loads(value) for name, value in db.execute("SELECT name, value FROM setting")}
        bodies = [bytes(body).decode() for (body,) in db.execute("SELECT body FROM plan")]
    if not bodies:
        raise ValueError(f"{path}: expected a coalition plan, found none; run with --attribute kernel-shap")
    # drawn with seeds that grow
    return sorted(bodies, key=lambda body: json.loads(body)["seed"]), settings
