"""Opens the exports of a run with stock readers and checks them against the run store.

    python tests/python/check_export.py RUN_FOLDER [ROADGAZE]

Needs pandas, pyarrow and mcap. Exports into a temporary folder with the given program (default target/release/roadgaze), reads
Parquet, CSV and JSON lines with pandas and MCAP with the reader of mcap.dev, and compares every table with run.sqlite.
"""

import base64
import json
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from mcap.reader import make_reader


def tables(folder: Path, form: str, read) -> dict[str, pd.DataFrame]:
    """All tables of a folder that hold rows."""
    files = sorted(folder.glob(f"*.{form}"))
    assert len(files) == 5, f"{form}: five tables expected, {files} found"
    return {f.stem: read(f) for f in files if f.stat().st_size > 0}


def check_tables(out: Path, db: sqlite3.Connection) -> None:
    """The three table formats hold what the store holds."""
    frames = pd.read_sql("SELECT position, class, confidence, correct FROM frame ORDER BY position", db)
    explained = pd.read_sql("SELECT position, method, pixel_ratio FROM attribution ORDER BY position, method", db)
    times = pd.read_sql("SELECT count(*) AS n, sum(micros) AS total FROM stage_time", db)
    readers = {
        "parquet": pd.read_parquet,
        "csv": pd.read_csv,
        "jsonl": lambda f: pd.read_json(f, lines=True),
    }
    for form, read in readers.items():
        found = tables(out / form, form, read)
        ours = found["frames"]
        assert (ours["position"].to_numpy() == frames["position"].to_numpy()).all(), form
        assert (ours["class"].to_numpy() == frames["class"].to_numpy()).all(), form
        assert (ours["correct"].astype(int).to_numpy() == frames["correct"].to_numpy()).all(), form
        assert (abs(ours["confidence"] - frames["confidence"]) < 1e-6).all(), form
        assert len(found["stages"]) == times["n"][0] and found["stages"]["micros"].sum() == times["total"][0], form
        if len(explained):
            a = found["attributions"].sort_values(["position", "method"])
            both = abs(a["pixel_ratio"].to_numpy() - explained["pixel_ratio"].to_numpy(dtype=float))
            assert (both[~pd.isna(both)] < 1e-12).all(), form
            assert (pd.isna(a["pixel_ratio"]).to_numpy() == pd.isna(explained["pixel_ratio"]).to_numpy()).all(), form
        print(f"{form}: {len(ours)} frames, {len(found['stages'])} times, {len(found.get('attributions', []))} attributions")


def check_mcap(path: Path, db: sqlite3.Connection) -> None:
    """The MCAP file has the stated channels, schemas and messages, and its pictures are the stored ones."""
    count: dict[str, int] = {}
    pictures = []
    ratios = 0
    with path.open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None and summary.statistics is not None
        for schema, channel, message in reader.iter_messages():
            assert schema is not None and schema.encoding == "jsonschema" and channel.message_encoding == "json"
            required = json.loads(schema.data)["required"]
            value = json.loads(message.data)
            assert all(name in value for name in required), (schema.name, required)
            count[channel.topic] = count.get(channel.topic, 0) + 1
            if channel.topic == "/camera/image":
                assert schema.name == "foxglove.CompressedImage" and value["format"] == "jpeg"
                pictures.append(base64.b64decode(value["data"]))
            if channel.topic == "/camera/annotations":
                assert schema.name == "foxglove.ImageAnnotations" and value["texts"][0]["text"]
            if channel.topic == "/log":
                assert schema.name == "foxglove.Log" and value["message"]
            if channel.topic == "/diagnostics":
                ratios += len(value["pixel_ratio"])
    frames = db.execute("SELECT count(*) FROM frame").fetchone()[0]
    stored = [row[0] for row in db.execute("SELECT jpeg FROM preview ORDER BY position")]
    defined = db.execute("SELECT count(*) FROM attribution WHERE pixel_ratio IS NOT NULL").fetchone()[0]
    assert count["/diagnostics"] == frames, count
    assert pictures == stored, f"{len(pictures)} pictures, {len(stored)} stored"
    assert ratios == defined, (ratios, defined)
    assert summary.statistics.message_count == sum(count.values())
    print(f"mcap: {count}")


def main() -> None:
    """Export, read back, compare."""
    run = Path(sys.argv[1])
    program = sys.argv[2] if len(sys.argv) > 2 else "target/release/roadgaze"
    db = sqlite3.connect(run / "run.sqlite")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        for form in ["parquet", "csv", "jsonl", "mcap"]:
            subprocess.run([program, "export", run, "--format", form, "--out", out / form], check=True, stdout=subprocess.DEVNULL)
        check_tables(out, db)
        check_mcap(out / "mcap" / "run.mcap", db)
    print("all exports agree with the store")


if __name__ == "__main__":
    main()
