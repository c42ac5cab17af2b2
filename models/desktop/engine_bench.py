#!/usr/bin/env python3
"""Times a quantized network in this project's engine and in ONNX Runtime, alternately, at 1 and 2 threads.

    python models/desktop/engine_bench.py --engine target/release/examples/engine MODEL.onnx ... [--rounds 7]

Each round runs ONNX Runtime and the engine in processes of their own, one after the other, so that both meet the
same neighbours on the machine; the order alternates. Of each process the median counts, and the table shows the
median over the rounds, the ratio of each round's pair (median, smallest, largest), and resident memory. ONNX Runtime
gets every form of the network that is given (`--peer`) and the fastest counts. The logits of both are compared.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PEER = """
import json, sys, time
import numpy as np
import onnxruntime
model, threads, runs, source = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
x = np.fromfile(source, dtype="<f4").reshape(1, 3, 224, 224)
name = session.get_inputs()[0].name
for _ in range(4):
    y = session.run(None, {name: x})[0]
times = []
for _ in range(runs):
    start = time.perf_counter()
    session.run(None, {name: x})
    times.append((time.perf_counter() - start) * 1e3)
status = open("/proc/self/status").read()
field = lambda key: int(status.split(key)[1].split()[0]) / 1024
print(json.dumps({"times_ms": times, "logits": y.ravel().tolist(), "resident_mib": field("VmRSS:"),
                  "peak_mib": field("VmHWM:"), "version": onnxruntime.__version__}))
"""


def last_json(command):
    """What a program prints on its last line."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if not lines:
        sys.exit(f"{command[0]}: no output; {done.stderr.strip()[-300:]}")
    answer = json.loads(lines[-1])
    if "error" in answer:
        sys.exit(f"{command[1]}: {answer['error']}")
    return answer


def cosine(a, b):
    """Cosine of two lists of numbers."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def main():
    """Measure all networks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="MODEL.onnx, or MODEL.onnx=PEER.onnx for another form in the peer")
    parser.add_argument("--engine", required=True, help="the example binary `engine`")
    parser.add_argument("--isa", help="instruction set of the engine")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    import numpy

    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(folder) / "x.f32")
        numpy.random.default_rng(1).standard_normal(3 * 224 * 224).astype("<f4").tofile(source)
        print(
            "| network | threads | engine ms | ONNX Runtime ms | ratio (smallest, largest) |"
            " resident MiB | cosine | load |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for entry in arguments.models:
            model, _, peer = entry.partition("=")
            for threads in arguments.threads:
                own = [arguments.engine, model, "--threads", str(threads), "--runs", str(arguments.runs)]
                own += ["--input", source] + (["--isa", arguments.isa] if arguments.isa else [])
                other = [sys.executable, "-c", PEER, peer or model, str(threads), str(arguments.runs), source]
                pairs = []
                for turn in range(arguments.rounds):
                    order = [own, other] if turn % 2 == 0 else [other, own]
                    answers = [last_json(command) for command in order]
                    pairs.append(answers if turn % 2 == 0 else answers[::-1])
                medians = [[statistics.median(a["times_ms"]) for a in pair] for pair in pairs]
                ratios = [a / b for a, b in medians]
                ours, theirs = pairs[-1]
                print(
                    f"| {Path(model).name} | {threads} | {statistics.median(m[0] for m in medians):.2f} |"
                    f" {statistics.median(m[1] for m in medians):.2f} | {statistics.median(ratios):.3f}"
                    f" ({min(ratios):.3f}, {max(ratios):.3f}) |"
                    f" {ours['resident_mib']:.0f} / {theirs['resident_mib']:.0f} |"
                    f" {cosine(ours['logits'], theirs['logits']):.5f} | {os.getloadavg()[0]:.1f} |",
                    flush=True,
                )
        print(
            f"\nengine {ours['isa']}, integer share {ours['integer_mac_share']:.4f}; ONNX Runtime {theirs['version']};"
            f" {arguments.rounds} rounds of {arguments.runs} runs"
        )


if __name__ == "__main__":
    main()
