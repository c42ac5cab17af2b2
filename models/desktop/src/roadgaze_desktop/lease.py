"""A quarter of an hour of a GPU: three processes by one clock, each taking what the others have ready.

`render` works through a list of parts of sets on the CPU; `resnet` and `convnext` train on what lies there. All times
are seconds after the lease began, so a slow part shortens what follows and nothing runs over. What is to be carried
away goes into an outbox (see `pieces`); `deliver` hands over what fits into one call.
"""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from . import pieces
from .architectures import architecture
from .checkpoints import load_into
from .data import RenderedSet, joined, normalized, open_set
from .evaluate import accuracy
from .folded import renew_norms
from .presets import Preset, Stage
from .snapshots import write_json
from .train import RESULT, WEIGHTS, Settings, resolve_device, train

SETS = ("CF", "UF", "CM", "UM", "CH", "UH")
ROLES = ("render", "resnet", "convnext", "deliver")
BEGAN = "began"

PARTS = (
    *((s, "train", 0, 60) for s in SETS),
    *((s, "test", 0, 50) for s in ("CF", "UF")),
    *((s, "train", 60, 140) for s in ("CF", "UF")),
    *((s, "test", 0, 50) for s in ("CM", "UM", "CH", "UH")),
    *((s, "train", 200, 150) for s in ("CF", "UF")),
    *((s, "train", 60, 60) for s in ("CM", "UM", "CH", "UH")),
    *((s, "test", 50, 150) for s in ("CF", "UF")),
    *((s, "train", 350, 150) for s in ("CF", "UF")),
    *((s, "test", 200, 400) for s in ("CF", "UF")),
)
"""Set, split, first picture of each class, pictures of each class: in the order in which they are needed."""


def _recipe(name: str, rate: float, *stages: Stage) -> Preset:
    return Preset(name, stages, learning_rate=rate, clip_norm=1.0, autocast=True)


WHOLE = Stage(224, 1.0, 128)
COMMON = _recipe("lease-common", 5e-4, WHOLE)
TUNE = _recipe("lease-tune", 4e-4, WHOLE)
FRESH = _recipe(
    "lease-fresh", 1e-3, Stage(64, 0.25, 256, "closeup"), Stage(160, 0.3, 128, "native"), Stage(224, 0.45, 128)
)
"""For a network that starts from nothing: shares of the time for signs close up, windows at scale, whole pictures."""


@dataclass
class Lease:
    """The clock, and where things lie."""

    work: Path
    binary: Path
    carried: Path
    scale: float
    """All times are multiplied by this: below 1 for a rehearsal."""
    pace: float
    """All numbers of pictures are multiplied by this."""
    threads: int
    small: bool
    """Rehearse with micro networks and few classes of work."""

    def now(self) -> float:
        """Seconds of the timetable since the lease began."""
        return (time.time() - float((self.work / BEGAN).read_text())) / self.scale

    def say(self, text: str) -> None:
        """A line of the log, with the time."""
        print(f"[{self.now():6.1f}] {text}", flush=True)

    # --- pictures ------------------------------------------------------------------------------------------

    def parts(self) -> list[tuple[str, str, int, int]]:
        """What is rendered."""
        return [(s, k, round(f * self.pace), max(1, round(n * self.pace))) for s, k, f, n in PARTS]

    def folder(self, part: tuple[str, str, int, int]) -> Path:
        """Where a part lies."""
        name, split, first, count = part
        return self.work / "data" / f"{name}-{split}-{first:04}-{first + count:04}"

    def ready(self, name: str, split: str) -> list[Path]:
        """Finished parts of a split."""
        folders = [self.folder(p) for p in self.parts() if p[:2] == (name, split)]
        return [f for f in folders if (f / "dataset.toml").is_file()]

    def wait(self, name: str, split: str, count: int = 1) -> list[Path]:
        """Block until so many parts are there."""
        while len(found := self.ready(name, split)) < count:
            time.sleep(0.2)
        return found

    def opened(self, name: str, split: str, least: int = 1) -> RenderedSet:
        """All finished parts of a split as one set, at least so many."""
        sets = [open_set(f) for f in self.wait(name, split, least)]
        return replace(joined(sets), name=name)

    def render(self) -> None:
        """Work through the list."""
        for part in self.parts():
            name, split, first, count = part
            command = [
                "nice",
                "-n",
                5,
                self.binary,
                "render",
                "--set",
                name,
                "--split",
                split,
                "--first",
                first,
                "--per-class",
                count,
            ]
            command += ["--format", "npy", "--size", 224, "--threads", self.threads, "--out", self.folder(part)]
            began = time.monotonic()
            subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)
            self.say(f"rendered {self.folder(part).name}: {82 * count / (time.monotonic() - began):.0f} pictures/s")

    # --- training ------------------------------------------------------------------------------------------

    def train(
        self, name: str, kind: str, recipe: Preset, images: RenderedSet, start: Path | None, note: str, until: float
    ) -> Path:
        """Train until a time of the timetable; returns the weights. The result holds no accuracy yet."""
        seconds = max(5.0, until - self.now()) * self.scale
        out = self.work / "runs" / name
        settings = Settings(kind, out, start=start, start_note=note, clock_minutes=seconds / 60, snapshot_minutes=1e9)
        self.say(f"{name}: {len(images)} pictures, {seconds:.0f} s")
        result = train(settings, recipe, images, [])
        self.say(f"{name}: trained on {result['training']['images_seen']} pictures, {result['history'][-1]['loss']}")
        return out / WEIGHTS

    def judge(self, name: str) -> None:
        """Classify every test picture that is there, and enter the accuracy into the result."""
        run = self.work / "runs" / name
        result = json.loads((run / RESULT).read_text())
        device = resolve_device("auto")
        kind = architecture(result["architecture"])
        network = kind.build(result["classes"])
        load_into(network, kind, run / WEIGHTS)
        network = network.to(device, memory_format=torch.channels_last)
        own = name.rsplit("-", 1)[1].upper()
        rows = []
        for test in sorted(SETS, key=lambda s: s != own):
            if folders := self.ready(test, "test"):
                images = replace(joined([open_set(f) for f in folders]), name=test)
                rows.append(accuracy(network, images, 224, device).row())
        result["accuracy"] = rows
        write_json(run / RESULT, result)
        self.say(f"{name}: " + ", ".join(f"{r['set']} {100 * r['top1']:.2f} % of {r['n']}" for r in rows))

    # --- what goes home ------------------------------------------------------------------------------------

    def export(self, name: str) -> Path:
        """Write the network with f16 weights, in a process of its own beside the training; returns the manifest."""
        zoo = self.work / "zoo"
        command = ["export", self.work / "runs" / name, "--name", f"{name}.f32", "--precision", "f16-weights"]
        command += ["--out", zoo, "--data", self.ready(name.rsplit("-", 1)[1].upper(), "test")[0], "--images", 8]
        self.ours(command, gpu=False)
        return zoo / f"{name}.f32.toml"

    def ours(self, command: list, gpu: bool) -> None:
        """Run a command of this package; its failure is said and survived."""
        environment = dict(os.environ) | ({} if gpu else {"CUDA_VISIBLE_DEVICES": ""})
        given = [sys.executable, "-m", "roadgaze_desktop", *[str(c) for c in command]]
        done = subprocess.run(given, env=environment, capture_output=True, text=True, check=False)
        self.say(f"{' '.join(given[3:6])}: {done.returncode} {done.stdout[-400:]} {done.stderr[-1500:]}")

    def send(self, name: str, paths: list[Path]) -> None:
        """Pack files that exist into one archive and queue it."""
        packed = self.work / "sent" / f"{name}.tar"
        packed.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(packed, "w") as archive:
            for path in paths:
                if path.exists():
                    archive.add(path, arcname=f"{name}/{path.name}")
        with (self.work / "outbox.lock").open("w") as lock:  # two trainings queue what they have
            fcntl.flock(lock, fcntl.LOCK_EX)
            pieces.Outbox(self.work / "outbox").add(packed)
        self.say(f"queued {name}, {packed.stat().st_size / 1e6:.1f} MB")

    def send_network(self, name: str) -> None:
        """Export and queue a network with its result and log."""
        manifest = self.export(name)
        run = self.work / "runs" / name
        self.send(name, [manifest, manifest.with_suffix(".onnx"), run / RESULT, run / "log.txt"])

    def reference(self, name: str, methods: str, frames: int, plan: str | None, solver: str = "exact") -> Path:
        """PyTorch and Captum on the GPU, over the first test pictures of the network's own set."""
        out = self.work / "reference" / f"{name}-{methods.replace(',', '-')}-{plan or 'none'}"
        manifest = self.work / "zoo" / f"{name}.f32.toml"
        command = ["reference", "--model", manifest, "--data", self.ready(name.rsplit("-", 1)[1].upper(), "test")[0]]
        command += ["--frames", frames, "--attribute", methods, "--device", "auto", "--batch", 256, "--out", out]
        if plan is not None:
            command += ["--plan", self.carried / plan, "--solver", solver]
        self.ours(command, gpu=True)
        return out


def resnet(lease: Lease) -> None:
    """Six ResNet50 from one start: a network of the zoo, trained further on all six sets mixed."""
    kind = "resnet-micro" if lease.small else "resnet50"
    mixed = replace(joined([lease.opened(s, "train") for s in SETS]), name="+".join(SETS))
    first = lease.work / "start.pt"
    note = "random"
    if lease.small:
        first = None
    else:
        made = architecture(kind).build(82)
        load_into(made, architecture(kind), lease.carried / "start.onnx")
        device = resolve_device("auto")
        made = made.to(device, memory_format=torch.channels_last)
        pictures = torch.cat([torch.from_numpy(s[:64].copy()) for s in mixed.images]).to(device).permute(0, 3, 1, 2)
        renew_norms(made, normalized(pictures[:1024]))
        torch.save({"model": {k: v.cpu() for k, v in made.state_dict().items()}}, first)
        note = "resnet50-cf of 2026-11-25 (CPU)"
    common = lease.train(f"{kind}-common", kind, COMMON, mixed, first, note, 110)
    note = f"{kind} on all six sets mixed, from {note}"
    for name, least, until in (("CF", 2, 165), ("UF", 2, 220)):
        lease.train(f"{kind}-{name.lower()}", kind, TUNE, lease.opened(name, "train", least), common, note, until)
    for name in ("cf", "uf"):
        lease.judge(f"{kind}-{name}")
        lease.send_network(f"{kind}-{name}")
    (lease.work / "pair.done").touch()
    for name, until in (("CM", 310), ("UM", 345), ("CH", 380), ("UH", 415)):
        lease.train(f"{kind}-{name.lower()}", kind, TUNE, lease.opened(name, "train"), common, note, until)
        lease.judge(f"{kind}-{name.lower()}")
    found = []
    for name in ("cf", "uf"):
        found.append(lease.reference(f"{kind}-{name}", "gradcam,kernel-shap", 82, "permutation.json"))
        found.append(lease.reference(f"{kind}-{name}", "kernel-shap", 82, "captum.json", "captum"))
        found.append(lease.reference(f"{kind}-{name}", "gradcam", 820, None))
    lease.send("reference", found)
    for name in SETS:
        lease.judge(f"{kind}-{name.lower()}")
    runs = [lease.work / "runs" / f"{kind}-{s.lower()}" / RESULT for s in SETS]
    for run in runs:
        shutil.copy(run, lease.work / "sent" / f"{run.parent.name}.json")
    lease.send("results", [lease.work / "sent" / f"{r.parent.name}.json" for r in runs])
    (lease.work / "resnet.done").touch()


def convnext(lease: Lease) -> None:
    """A pair of ConvNeXt-Tiny from nothing: signs close up, then in place, then the two sets."""
    kind = "convnext-micro" if lease.small else "convnext-tiny"
    mixed = replace(joined([lease.opened(s, "train") for s in SETS]), name="+".join(SETS))
    common = lease.train(f"{kind}-common", kind, FRESH, mixed, None, "random", 335)
    note = f"{kind} on all six sets mixed, from random"
    for name, until in (("CF", 430), ("UF", 525)):
        lease.train(f"{kind}-{name.lower()}", kind, TUNE, lease.opened(name, "train", 2), common, note, until)
        lease.judge(f"{kind}-{name.lower()}")
        lease.send_network(f"{kind}-{name.lower()}")
    (lease.work / "convnext.done").touch()


def deliver(lease: Lease, out: Path, until: float, mebibytes: float) -> None:
    """Wait until as much waits as one call carries, or a time of the timetable, and hand it over."""
    outbox = pieces.Outbox(lease.work / "outbox")
    wanted = mebibytes * pieces.MIB
    while lease.now() < until:
        waiting = [outbox.folder / n for n in outbox.waiting()]
        done = all((lease.work / f"{r}.done").exists() for r in ("resnet", "convnext"))
        if done or len(waiting) >= 8 or sum(p.stat().st_size for p in waiting) >= wanted:
            break
        time.sleep(0.5)
    taken = outbox.hand_over(out, 7, int(wanted))
    with tarfile.open(out / "logs.tar", "w") as archive:
        for path in [
            *lease.work.glob("*.log"),
            *lease.work.glob("runs/*/log.txt"),
            *lease.work.glob("runs/*/result.json"),
        ]:
            archive.add(path, arcname=str(path.relative_to(lease.work)))
    lease.say(f"handed over {', '.join(taken)}; waiting: {len(outbox.waiting())}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `lease`."""
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--work", type=Path, required=True, help="folder for everything; kept between calls")
    parser.add_argument("--binary", type=Path, default=Path("roadgaze"), help="renders the sets")
    parser.add_argument("--carried", type=Path, default=Path(), help="start.onnx, permutation.json, captum.json")
    parser.add_argument("--threads", type=int, default=13, help="for rendering")
    parser.add_argument("--scale", type=float, default=1.0, help="times of the timetable; below 1 to rehearse")
    parser.add_argument("--pace", type=float, default=1.0, help="numbers of pictures; below 1 to rehearse")
    parser.add_argument("--small", action="store_true", help="micro networks, to rehearse")
    parser.add_argument("--out", type=Path, default=Path("out"), help="deliver: where to")
    parser.add_argument("--until", type=float, default=0.0, help="deliver: wait no longer than this")
    parser.add_argument("--mib", type=float, default=63.0, help="deliver: what one call carries")


def main(arguments: argparse.Namespace) -> int:
    """Run the command `lease`."""
    a = arguments
    a.work.mkdir(parents=True, exist_ok=True)
    if not (a.work / BEGAN).is_file():
        (a.work / BEGAN).write_text(str(time.time()))
    lease = Lease(a.work, a.binary, a.carried, a.scale, a.pace, a.threads, a.small)
    if a.role == "render":
        lease.render()
    elif a.role == "resnet":
        resnet(lease)
    elif a.role == "convnext":
        convnext(lease)
    else:
        a.out.mkdir(parents=True, exist_ok=True)
        deliver(lease, a.out, a.until, a.mib)
    return 0
