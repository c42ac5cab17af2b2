#!/usr/bin/env python3
"""Do two runs of the same plan on two processors give the same numbers? Exit code 1 if not.

    equal.py RUN_A RUN_B --frames N --logits exact|1e-4 [--map 1e-6]

Compares frame by frame: the hash of the picture, the logits (bit by bit, or within a tolerance), and every attribution
map, relative to the largest value of the map. Needs nothing but Python's standard library.
"""

import argparse
import sqlite3
import struct
import sys
from pathlib import Path


def floats(blob: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(blob) // 4}f", blob)


def largest_difference(a: bytes, b: bytes) -> float:
    """Largest difference of two lists, relative to the largest magnitude; infinite if their lengths differ."""
    x, y = floats(a), floats(b)
    if len(x) != len(y):
        return float("inf")
    scale = max((abs(v) for v in x), default=0.0) or 1.0
    worst = max((abs(p - q) for p, q in zip(x, y)), default=0.0) / scale
    return worst if worst == worst else float("inf")


def rows(folder: Path, query: str) -> list[tuple]:
    store = folder / "run.sqlite"
    if not store.is_file():
        sys.exit(f"{store}: a run store expected, no file found")
    with sqlite3.connect(store) as db:
        return db.execute(query).fetchall()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--logits", required=True)
    parser.add_argument("--map", type=float, default=1e-6)
    arguments = parser.parse_args()
    query = "SELECT position, image_hash, logits, top5 FROM frame ORDER BY position"
    left, right = rows(arguments.a, query), rows(arguments.b, query)
    wrong = []
    if len(left) != arguments.frames or len(right) != arguments.frames:
        wrong.append(f"{arguments.frames} frames expected, {len(left)} and {len(right)} found")
    same_pictures = same_bits = 0
    worst_logits = 0.0
    for (position, picture, logits, _), (other, picture_b, logits_b, _) in zip(left, right):
        if position != other or picture != picture_b:
            wrong.append(f"frame {position}: other picture")
            continue
        same_pictures += 1
        same_bits += logits == logits_b
        worst_logits = max(worst_logits, largest_difference(logits, logits_b))
    limit = 0.0 if arguments.logits == "exact" else float(arguments.logits)
    if worst_logits > limit or (limit == 0.0 and same_bits != len(left)):
        wrong.append(f"logits differ by {worst_logits:g}, {limit:g} allowed")
    print(f"pictures equal: {same_pictures} of {len(left)}; logits equal bit by bit: {same_bits}, worst {worst_logits:g}")
    query = "SELECT position, method, map, pixel_ratio FROM attribution ORDER BY position, method"
    maps: dict[str, list[float]] = {}
    ratios: dict[str, float] = {}
    left, right = rows(arguments.a, query), rows(arguments.b, query)
    if [row[:2] for row in left] != [row[:2] for row in right]:
        wrong.append("other attributions")
    for (_, method, map_a, ratio_a), (_, _, map_b, ratio_b) in zip(left, right):
        maps.setdefault(method, []).append(largest_difference(map_a, map_b))
        if ratio_a is not None and ratio_b is not None:
            ratios[method] = max(ratios.get(method, 0.0), abs(ratio_a - ratio_b))
    for method, differences in maps.items():
        worst = max(differences)
        print(f"{method}: {len(differences)} maps, worst difference {worst:.2g}, of a pixel ratio {ratios.get(method, 0.0):.2g}")
        if not worst <= arguments.map:
            wrong.append(f"{method}: maps differ by {worst:g}, {arguments.map:g} allowed")
    for line in wrong:
        print(f"DIFFERENT: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
