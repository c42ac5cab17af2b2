"""Recorded games: the outputs of a network for very many coalitions of a picture, in the file that the device replays.

Format: `harness/src/games/file.rs`, version 1. The coalitions come from plan files (`roadgaze plan`); the first plan
is the reference that the others are measured against.
"""

import argparse
import hashlib
import json
import struct
import time
from pathlib import Path

import numpy as np
import torch

from . import attribution
from .data import open_set
from .manifest import sha256_of
from .networks import described
from .onnx_torch import OnnxNetwork
from .reference import frames, plan_from
from .train import resolve_device

MAGIC = b"rgazgame"
VERSION = 1


def game_bytes(about: dict, cover: np.ndarray, plans: list[dict], values: list[np.ndarray], grid: int) -> bytes:
    """Make a game file; `cover` H W is the coverage by the sign, `plans` are plan files, the reference first."""
    side = cover.shape[0] // grid
    inside = cover.reshape(grid, side, grid, side).sum(axis=(1, 3)).ravel()
    parts = [
        {
            "estimator": plan["estimator"],
            "evaluations": plan["evaluations"],
            "seed": plan["seed"],
            "plan_hash": plan["hash"],
            "values": len(found),
            "reference": position == 0,
        }
        for position, (plan, found) in enumerate(zip(plans, values, strict=True))
    ]
    shares = {"cells": [{"all": float(side * side), "inside": float(v)} for v in inside]}
    head = json.dumps({"about": about, "shares": shares, "parts": parts}).encode()
    content = MAGIC + struct.pack("<II", VERSION, len(head)) + head
    content += np.concatenate(values).astype("<f4").tobytes()
    return content + hashlib.sha256(content).digest()


class Half(torch.nn.Module):
    """The graph with convolutions in bfloat16 and the head in f32: several times faster where the processor has it."""

    def __init__(self, network: OnnxNetwork, device: torch.device):
        super().__init__()
        self.network = network
        self.kind = device.type

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits in f32."""
        with torch.autocast(self.kind, dtype=torch.bfloat16):
            self.network.tap.to(torch.bfloat16)
            return self.network(images).float()


def read_plans(paths: list[Path]) -> tuple[list[dict], list[attribution.Plan]]:
    """Plan files as tables with the number of evaluations, and as plans."""
    tables, plans = [], []
    for path in paths:
        text = path.read_text()
        plan, _ = plan_from(text)
        table = json.loads(text)
        tables.append({**table, "evaluations": len(plan.coalitions)})
        plans.append(plan)
    return tables, plans


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `games`."""
    parser.add_argument("--model", type=Path, required=True, help="manifest of a network, or its ONNX file")
    parser.add_argument("--data", type=Path, required=True, help="rendered set with masks (npy)")
    parser.add_argument(
        "--plan", type=Path, required=True, action="append", help="plan file; the first is the reference"
    )
    parser.add_argument("--frames", type=int, default=12, help="pictures, spread evenly over the set")
    parser.add_argument("--output", choices=attribution.OUTPUTS, default="logit")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="of the convolutions")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto")
    parser.add_argument("--out", type=Path, required=True, help="folder for the game files")


def main(arguments: argparse.Namespace) -> int:
    """Run the command `games`."""
    a = arguments
    torch.set_num_threads(a.threads)
    what = described(a.model)
    device = resolve_device(a.device)
    network: torch.nn.Module = OnnxNetwork(what.onnx, what.manifest["feature_map"]).eval().to(device)
    if a.precision == "bf16":
        network = Half(network, device)
    tables, plans = read_plans(a.plan)
    images = open_set(a.data)
    wanted = {round((i + 0.5) * len(images) / a.frames) for i in range(a.frames)}
    a.out.mkdir(parents=True, exist_ok=True)
    for position, (label, index, picture, cover) in enumerate(frames(images, what.size)):
        path = a.out / f"{label:03}-{index:04}.game"
        if position not in wanted or path.exists():
            continue
        start = time.perf_counter()
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None]
        image = what.normalized(pixels).contiguous().to(device)
        with torch.no_grad():
            target = int(network(image)[0].argmax())
        about = {
            "picture": f"{images.name}/{images.split} {label}/{index}",
            "image_hash": hashlib.sha256(picture.tobytes()).hexdigest()[:16],
            "network": f"{what.name} ({a.precision})",
            "network_hash": sha256_of(what.onnx),
            "target": target,
            "output": a.output,
            "baseline": "zero",
            "grid": {"rows": plans[0].rows, "columns": plans[0].columns},
        }
        values = []
        for plan in plans:
            given = attribution.Plan(**{**plan.__dict__, "target": target, "output": a.output, "size": what.size})
            baseline = torch.zeros_like(image)
            values.append(attribution.coalition_values(network, image, baseline, given, batch=a.batch).cpu().numpy())
        part = path.with_suffix(".part")
        part.write_bytes(game_bytes(about, cover, tables, values, plans[0].rows))
        part.rename(path)
        seconds = time.perf_counter() - start
        total = sum(len(v) for v in values)
        print(f"{path}: class {target}, {total} evaluations, {1000 * seconds / total:.1f} ms each", flush=True)
    return 0
