"""The list of trainings, worked through in order of value: resumable, and made to run in slices of minutes.

The paper's 27: three architectures on six sets and on the circular, triangular and rectangular signs of CM. Beyond
them `CF@0.25` and the like train at another strength of the correlation than the set's own, and `CF#2` once more from
another seed, because what two trainings on one set differ by is the measure of every difference. What has a result is
skipped; what was cut short continues from its snapshot or, on a fresh machine, from weights that were carried home and
back (then the optimiser's moments start anew, and the result says so). Subsets keep all 82 outputs: the ids stay
comparable.
"""

import argparse
import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from . import pieces
from .classes import ClassList, read_catalogue
from .data import RenderedSet, open_set
from .presets import PRESETS, preset
from .rendering import Order, Renderer
from .snapshots import write_json
from .train import LIGHT, RESULT, WEIGHTS, Interrupted, Settings, train

ARCHITECTURES = ("resnet50", "convnext-tiny", "convnext-small")
SETS = ("CF", "UF", "CM", "UM", "CH", "UH")
SUBSETS = {"CMC": "circular", "CMT": "triangular", "CMR": "rectangular"}
MINUTES_AT_LEAST = 0.5
"""With less time left no further training is begun."""


@dataclass(frozen=True)
class Training:
    """One network on one set or subset."""

    architecture: str
    set: str
    strength: float | None = None
    """Of the correlation, in place of the set's own."""
    seed: int | None = None
    """In place of the campaign's."""

    @property
    def name(self) -> str:
        """For example `resnet50-cf`, `resnet50-cf@0.25`, or `resnet50-cf-seed2`."""
        dose = "" if self.strength is None else f"@{self.strength:.2f}"
        seed = "" if self.seed is None else f"-seed{self.seed}"
        return f"{self.architecture}-{self.set.lower()}{dose}{seed}"

    @property
    def rendered(self) -> str:
        """The set that has to be rendered."""
        return "CM" if self.set in SUBSETS else self.set


def in_order_of_value() -> list[Training]:
    """All 27: the frontal pair of every architecture first, then the rest of one architecture after the other."""
    first = [Training(a, s) for a in ARCHITECTURES for s in ("CF", "UF")]
    rest = [Training(a, s) for a in ARCHITECTURES for s in (*SETS, *SUBSETS)]
    return first + [t for t in rest if t not in first]


def parse_trainings(text: str) -> list[Training]:
    """Read `resnet50:CF,convnext-tiny:UF#2,resnet50:CF@0.25`; `all` is the whole list."""
    if text == "all":
        return in_order_of_value()
    trainings = []
    for item in text.split(","):
        architecture, _, name = item.partition(":")
        name, number, seed = name.partition("#")
        name, at, dose = name.partition("@")
        if name not in (*SETS, *SUBSETS):
            raise ValueError(f"training `{item}`: expected ARCHITECTURE:SET with SET of {', '.join((*SETS, *SUBSETS))}")
        if number and not re.fullmatch(r"\d{1,9}", seed):
            raise ValueError(f"training `{item}`: expected a whole number, the seed, after `#`")
        strength = _strength(item, name, dose) if at else None
        trainings.append(Training(architecture, name, strength, int(seed) if number else None))
    return trainings


def _strength(item: str, name: str, text: str) -> float:
    """Read the dose of `CF@0.25`: a correlated set, 0 to 1 in steps of 0.01."""
    if name in SETS and name.startswith("C") and re.fullmatch(r"0(\.\d{1,2})?|1(\.0{1,2})?", text):
        return float(text)
    raise ValueError(f"training `{item}`: expected a C set and a strength from 0 to 1 in steps of 0.01 after `@`")


@dataclass
class Campaign:
    """Everything that is the same for all trainings."""

    renderer: Renderer
    runs: Path
    catalogue: Path
    preset: str
    train_per_class: int
    test_per_class: int
    own_test_per_class: int
    deadline: float
    """Monotonic seconds."""
    fit_minutes: dict[str, float]
    carried: Path | None = None
    seed: int = 1
    device: str = "auto"
    classes: int = 82
    threads: int = 0
    """Of the CPU for a training; 0 leaves torch's choice."""
    start: Path | None = None
    start_note: str = "random"

    def minutes_left(self) -> float:
        """Until the deadline."""
        return (self.deadline - time.monotonic()) / 60

    def test_orders(self, training: Training) -> list[Order]:
        """All six test sets, the own one in full."""
        own = training.rendered
        counts = {s: self.own_test_per_class if s == own else self.test_per_class for s in SETS}
        return [Order(s, "test", counts[s]) for s in (own, *(s for s in SETS if s != own))]

    def train_order(self, training: Training) -> Order:
        """What the training sees."""
        return Order(training.rendered, "train", self.train_per_class, training.strength)

    def result_of(self, training: Training) -> dict | None:
        """What the training wrote, here or on a machine before this one."""
        for folder in (self.runs / training.name, self.carried and self.carried / training.name):
            if folder and (folder / RESULT).is_file():
                return json.loads((folder / RESULT).read_text())
        return _carried_results(self.carried).get(training.name)

    def run(self, trainings: list[Training]) -> list[str]:
        """Train what has no result until the time is up; returns the names of those finished now."""
        todo = [t for t in trainings if self.result_of(t) is None]
        finished = []
        for i, training in enumerate(todo):
            if self.minutes_left() < MINUTES_AT_LEAST:
                break
            orders = self.test_orders(training)
            self.renderer.ask(self.train_order(training))
            for order in orders:
                self.renderer.ask(order)
            if i + 1 < len(todo):  # the CPU renders for the next network while the GPU trains this one
                self.renderer.ask(self.train_order(todo[i + 1]))
            try:
                self._train(training, orders)
            except Interrupted as stop:
                print(f"{training.name}: {stop}", flush=True)
                break
            finished.append(training.name)
        return finished

    def _train(self, training: Training, orders: list[Order]) -> None:
        keep = self._classes_of(training)

        def opened(order: Order) -> RenderedSet:
            images = open_set(self.renderer.wait(order))
            images.name = images.name if keep is None else images.name + training.set[2:]
            return images if keep is None else images.restricted_to(keep)

        out = self.runs / training.name
        out.mkdir(parents=True, exist_ok=True)
        if self.carried and (self.carried / f"{training.name}.{LIGHT}").is_file() and not (out / LIGHT).is_file():
            shutil.copy(self.carried / f"{training.name}.{LIGHT}", out / LIGHT)
        images = opened(self.train_order(training))
        settings = Settings(
            architecture=training.architecture,
            out=out,
            seed=self.seed if training.seed is None else training.seed,
            classes=self.classes,
            threads=self.threads,
            device=self.device,
            start=self.start,
            start_note=self.start_note,
            budget_minutes=max(0.0, self.minutes_left()),
            fit_minutes=self.fit_minutes.get(training.architecture, 0.0),
        )
        print(f"{training.name}: {len(images)} images, {self.minutes_left():.1f} min left", flush=True)
        # the test sets are opened when training is done: they may still be rendering
        train(settings, preset(self.preset), images, lambda: [opened(o) for o in orders])

    def _classes_of(self, training: Training) -> list[int] | None:
        if training.set not in SUBSETS:
            return None
        classes: ClassList = read_catalogue(self.catalogue)
        return classes.of_shape(SUBSETS[training.set])


def _carried_results(carried: Path | None) -> dict[str, dict]:
    if carried is None or not (carried / "campaign.json").is_file():
        return {}
    table = json.loads((carried / "campaign.json").read_text())
    return {row["name"]: row["result"] for row in table["trainings"] if row["result"] is not None}


def table_of(campaign: Campaign, trainings: list[Training]) -> dict:
    """All results in one table, the missing ones as null."""
    rows = [{"name": t.name, "set": t.set, "result": campaign.result_of(t)} for t in trainings]
    return {"schema": 1, "trainings": rows}


def markdown_of(table: dict) -> str:
    """The accuracy matrix: a row a network, a column a test set, Wilson 95 % interval below the value."""
    columns = list(dict.fromkeys(a["set"] for r in table["trainings"] if r["result"] for a in r["result"]["accuracy"]))
    lines = [
        "| network | preset, epochs, minutes | " + " | ".join(columns) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for row in table["trainings"]:
        if (result := row["result"]) is None:
            continue
        cells = {a["set"]: a for a in result["accuracy"]}
        shown = [_cell(cells.get(c)) for c in columns]
        t = result["training"]
        lines.append(
            f"| {row['name']} | {t['preset']}, {t['epochs']:.1f}, {t['minutes']:.1f} | " + " | ".join(shown) + " |"
        )
    return "\n".join(lines) + "\n"


def _cell(row: dict | None) -> str:
    if row is None:
        return ""
    return f"{100 * row['top1']:.2f} [{100 * row['low']:.2f}, {100 * row['high']:.2f}] n {row['n']}"


def half_weights(source: Path, out: Path) -> Path:
    """Copy weights as f16: batch norm statistics and vectors stay f32."""
    state = torch.load(source, map_location="cpu", weights_only=True)
    model = {k: v.half() if v.is_floating_point() and v.ndim > 1 else v for k, v in state["model"].items()}
    torch.save({**state, "model": model}, out)
    return out


def _bytes_in(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.iterdir())


def _carry_unfinished(campaign: Campaign, trainings: list[Training], out: Path, max_files: int, max_bytes: int) -> None:
    """Put into `out` what an unfinished training needs to go on elsewhere, if it fits."""
    for training in trainings:
        light = campaign.runs / training.name / LIGHT
        if not light.is_file() or campaign.result_of(training) is not None:
            continue
        named = campaign.runs / f"{training.name}.{LIGHT}"
        shutil.copy(light, named)
        parts = pieces.split(named, campaign.runs / f"{training.name}.light")
        if len(parts) <= max_files and _bytes_in(out) + sum(p.stat().st_size for p in parts) <= max_bytes:
            max_files -= len(parts)
            for part in parts:
                shutil.copy(part, out / part.name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `campaign`."""
    parser.add_argument("--binary", type=Path, required=True, help="the roadgaze binary, which renders the sets")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for rendered sets and runs; kept between calls"
    )
    parser.add_argument("--out", type=Path, required=True, help="results and pieces to carry away")
    parser.add_argument("--carried", type=Path, help="what was carried away before: campaign.json, joined weights")
    parser.add_argument("--trainings", default="all", help="resnet50:CF,resnet50:UF#2,... in this order, or `all`")
    parser.add_argument("--preset", default="gpu-short", choices=list(PRESETS))
    parser.add_argument("--budget-minutes", type=float, default=9.0)
    parser.add_argument("--fit", action="append", default=[], metavar="ARCHITECTURE=MINUTES", help="scale the epochs")
    parser.add_argument("--train-per-class", type=int, default=500)
    parser.add_argument("--test-per-class", type=int, default=50, help="on the five other sets")
    parser.add_argument("--own-test-per-class", type=int, default=200, help="on the set of the training; 600 is all")
    parser.add_argument("--threads", type=int, default=16, help="for rendering")
    parser.add_argument("--train-threads", type=int, default=0, help="CPU threads of a training; 0: torch's choice")
    parser.add_argument("--size", type=int, default=224, help="pixels of the rendered pictures")
    parser.add_argument("--catalogue", type=Path, default=Path("datasets/signs/catalogue.toml"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--start", type=Path, help="weights that every training starts from")
    parser.add_argument("--start-note", default=None)
    parser.add_argument("--max-files", type=int, default=8, help="files in --out a call")
    parser.add_argument("--max-mib", type=float, default=63.0, help="all files in --out a call")


def main(arguments: argparse.Namespace) -> int:
    """Run the command `campaign`."""
    a = arguments
    began = time.monotonic()
    trainings = parse_trainings(a.trainings)
    renderer = Renderer(a.binary, a.work / "data", a.threads, a.size)
    campaign = Campaign(
        renderer=renderer,
        runs=a.work / "runs",
        catalogue=a.catalogue,
        preset=a.preset,
        train_per_class=a.train_per_class,
        test_per_class=a.test_per_class,
        own_test_per_class=a.own_test_per_class,
        deadline=began + 60 * a.budget_minutes,
        fit_minutes={k: float(v) for k, _, v in (f.partition("=") for f in a.fit)},
        carried=a.carried,
        seed=a.seed,
        device=a.device,
        threads=a.train_threads,
        start=a.start,
        start_note=a.start_note or (a.start.name if a.start else "random"),
    )
    outbox = pieces.Outbox(a.work / "outbox")
    try:
        finished = campaign.run(trainings)
    finally:
        renderer.stop()
    queued = outbox.order()
    for training in trainings:
        run = campaign.runs / training.name
        name = f"{training.name}.{WEIGHTS}"
        if (run / RESULT).is_file() and f"{name}.pieces.json" not in queued:
            outbox.folder.mkdir(parents=True, exist_ok=True)
            outbox.add(half_weights(run / WEIGHTS, a.work / name))
    table = table_of(campaign, trainings)
    a.out.mkdir(parents=True, exist_ok=True)
    a.work.mkdir(parents=True, exist_ok=True)
    write_json(a.out / "campaign.json", table)
    (a.work / "campaign.md").write_text(markdown_of(table))
    taken = outbox.hand_over(a.out, a.max_files - 1, int(a.max_mib * pieces.MIB) - _bytes_in(a.out))
    if not outbox.waiting():
        _carry_unfinished(campaign, trainings, a.out, a.max_files - 1 - len(taken), int(a.max_mib * pieces.MIB))
    print(markdown_of(table))
    print(f"finished now: {', '.join(finished) or 'none'}; still to carry: {len(outbox.waiting())} files")
    return 0
