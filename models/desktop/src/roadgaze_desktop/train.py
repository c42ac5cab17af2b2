"""Train one network on one rendered set: seeded, resumable after a kill, one log line an epoch.

Every batch (order, augmentation, dropped blocks) is a pure function of (seed, stage, step), so a run that was
killed and continued sees what an unbroken run would have seen. An epoch is one pass over the training set; stages
of the preset (picture sizes) need not end at one.
"""

import argparse
import math
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
from torch import Tensor, nn

from . import depthwise, snapshots
from .architectures import architecture, parameters
from .augment import augmented
from .checkpoints import load_into
from .closeups import closeups
from .data import MEAN, STD, RenderedSet, joined, open_set
from .evaluate import accuracy
from .presets import PRESETS, Preset, Stage, preset

SNAPSHOT = "state.pt"
WEIGHTS = "weights.pt"
RESULT = "result.json"
LOG = "log.txt"
_WITHOUT_END = 1 << 40
LIGHT = "light.pt"
"""Weights and position alone: small enough to carry to another machine."""


@dataclass
class Settings:
    """What a run needs to know beside its preset."""

    architecture: str
    out: Path
    seed: int = 1
    classes: int = 82
    start: Path | None = None
    """Checkpoint to start from: ours, MMPreTrain's or timm's."""
    start_note: str = "random"
    """For the manifest: where the first weights came from."""
    trust: bool = False
    """Unpickle the start whole."""
    deepen: bool = False
    """The start is a shallower ConvNeXt."""
    device: str = "auto"
    threads: int = 0
    """CPU threads; 0 leaves torch's choice."""
    compile: bool = False
    budget_minutes: float = math.inf
    """Stop cleanly after this wall time; call again to continue."""
    fit_minutes: float = 0.0
    """Measure the speed first and scale the epochs so that training fits; 0 keeps the preset."""
    clock_minutes: float = 0.0
    """Train for this wall time: the epochs of the stages become shares of it, and the rate falls with the clock. For
    machines that are rented and shared, where no speed that is measured beforehand holds. 0 counts pictures."""
    snapshot_minutes: float = 2.0
    quiet: bool = False


class Interrupted(Exception):
    """The run stopped before its end, with a snapshot."""


def resolve_device(name: str) -> torch.device:
    """Turn `auto` into the GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def hardware(device: torch.device) -> str:
    """Name the device for a log."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def steps_of(stage: Stage, images: int) -> int:
    """Batches in a stage; at least one, unless it has no epochs (an import of foreign weights)."""
    return 0 if stage.epochs == 0 else max(1, round(stage.epochs * images / stage.batch))


def learning_rate(recipe: Preset, progress: float) -> float:
    """Linear warm-up, then cosine to zero; `progress` is the share of all pixels already seen."""
    if progress < recipe.warmup_share:
        return recipe.learning_rate * max(progress, 1e-3) / recipe.warmup_share
    along = (progress - recipe.warmup_share) / (1 - recipe.warmup_share)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(along, 1.0)))


def optimizer_for(network: nn.Module, recipe: Preset, device: torch.device) -> torch.optim.Optimizer:
    """AdamW; tensors that are mere scales and offsets do not decay."""
    flat = {id(p) for n, p in network.named_parameters() if p.ndim <= 1 or n.endswith("layer_scale")}
    groups = [
        {
            "params": [p for p in network.parameters() if id(p) not in flat and p.requires_grad],
            "weight_decay": recipe.weight_decay,
        },
        {"params": [p for p in network.parameters() if id(p) in flat and p.requires_grad], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=device.type in ("cuda", "cpu"))


def batches(n: int, stage_seed: int, batch: int, first: int, last: int) -> Iterator[tuple[int, Tensor]]:
    """Positions of the pictures of steps `first` to `last`: shuffled anew in every pass, none left out."""
    shuffles: dict[int, Tensor] = {}

    def position(k: int) -> Tensor:
        if k not in shuffles:
            shuffles.clear()
            generator = torch.Generator().manual_seed(stage_seed * 1_000 + k)
            shuffles[k] = torch.randperm(n, generator=generator)
        return shuffles[k]

    for step in range(first, last):
        wanted, taken, at = [], 0, step * batch
        while taken < batch:
            part = position(at // n)[at % n : at % n + batch - taken]
            wanted.append(part)
            taken += len(part)
            at += len(part)
        yield step, torch.cat(wanted)


class Trainer:
    """One network in training: its weights, its optimiser, and how far it is."""

    def __init__(self, settings: Settings, recipe: Preset, images: RenderedSet):
        self.settings = settings
        self.recipe = recipe
        self.images = images
        self.device = resolve_device(settings.device)
        if settings.threads:
            torch.set_num_threads(settings.threads)
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.allow_tf32 = True
        torch.manual_seed(settings.seed)
        self.kind = architecture(settings.architecture)
        network = self.kind.build(settings.classes)
        if settings.start is not None:
            load_into(network, self.kind, settings.start, settings.trust, settings.deepen)
        if self.device.type == "cpu" and recipe.autocast:
            depthwise.in_f32(network)
        for name in recipe.frozen:
            network.get_submodule(name).requires_grad_(False)
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.forward: Callable[[Tensor], Tensor] = torch.compile(self.network) if settings.compile else self.network
        self.optimizer = optimizer_for(self.network, recipe, self.device)
        self.mean = torch.tensor(MEAN, device=self.device).view(1, 3, 1, 1)
        self.std = torch.tensor(STD, device=self.device).view(1, 3, 1, 1)
        self.stage = 0
        self.step = 0
        self.seen = 0
        self.minutes = 0.0
        self.history: list[dict] = []
        self.notes: list[str] = []
        self._stop = False

    # --- speed ---------------------------------------------------------------------------------------------

    def fit(self, minutes: float) -> None:
        """Scale the epochs so that training takes about `minutes`, from a few timed batches of every stage.

        The weights are put back; the scaled epochs become part of the recipe and so of the snapshot.
        """
        kept = {k: v.clone() for k, v in self.network.state_dict().items()}
        seconds = 0.0
        for stage in self.recipe.stages:
            shape = (stage.batch, stage.size, stage.size, 3)
            pictures = torch.randint(0, 256, shape, dtype=torch.uint8, device=self.device).permute(0, 3, 1, 2)
            labels = torch.randint(0, self.settings.classes, (stage.batch,), device=self.device)
            for _ in range(3):
                self._learn(pictures, labels, 0)
            self._wait()
            began = time.monotonic()
            rounds = 8
            for _ in range(rounds):
                self._learn(pictures, labels, 0)
            self._wait()
            step = (time.monotonic() - began) / rounds
            seconds += step * steps_of(stage, len(self.images))
        self.network.load_state_dict(kept)
        self.optimizer = optimizer_for(self.network, self.recipe, self.device)
        # a tenth is left for loading, snapshots and the log
        self.recipe = self.recipe.scaled(0.9 * minutes * 60 / seconds)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    # --- state ---------------------------------------------------------------------------------------------

    def identity(self) -> dict:
        """What must be equal for a snapshot to be continued."""
        return {
            "architecture": self.settings.architecture,
            "seed": self.settings.seed,
            "classes": self.settings.classes,
            "images": len(self.images),
            "set": self.images.name,
            "preset": self.recipe.name,
            "start": self.settings.start_note,
        } | ({} if self.images.strength is None else {"strength": self.images.strength})

    def save(self) -> None:
        """Write the snapshot."""
        state = self._position() | {
            "settings": self.identity(),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        snapshots.save(self.settings.out / SNAPSHOT, state)

    def save_light(self) -> None:
        """Write weights (f16) and position, without the optimiser."""
        weights = self.network.state_dict()
        state = self._position() | {
            "settings": self.identity(),
            "network": {k: v.half() if v.is_floating_point() and v.ndim > 1 else v for k, v in weights.items()},
        }
        snapshots.save(self.settings.out / LIGHT, state)

    def _position(self) -> dict:
        return {
            "stages": [[s.size, s.epochs, s.batch, s.view] for s in self.recipe.stages],
            "stage": self.stage,
            "step": self.step,
            "seen": self.seen,
            "minutes": self.minutes,
            "history": self.history,
        }

    def resume(self) -> bool:
        """Continue from the snapshot, or else from the light one, if there is one."""
        state = snapshots.load(self.settings.out / SNAPSHOT, self.identity())
        if state is None:
            state = snapshots.load(self.settings.out / LIGHT, self.identity())
        if state is None:
            return False
        stages = tuple(Stage(int(s), float(e), int(b), str(v)) for s, e, b, v in state["stages"])
        self.recipe = Preset(**{**self.recipe.__dict__, "stages": stages})
        self.network.load_state_dict(state["network"])
        if "optimizer" in state:
            self.optimizer.load_state_dict(state["optimizer"])
        else:
            self.notes.append(f"optimiser restarted after {state['seen']} images")
        self.stage, self.step, self.seen = state["stage"], state["step"], state["seen"]
        self.minutes, self.history = state["minutes"], state["history"]
        return True

    # --- training ------------------------------------------------------------------------------------------

    def _learn(self, pictures: Tensor, labels: Tensor, seed: int) -> Tensor:
        """Make one step; returns the loss, still on the device."""
        self.network.train()
        if self.recipe.fixed_norms:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        generator = torch.Generator(self.device).manual_seed(seed)
        torch.manual_seed(seed)  # dropped blocks
        batch = augmented(pictures.float() / 255, self.recipe.augmentation, generator)
        batch = ((batch - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.autocast):
            logits = self.forward(batch)
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        return loss.detach()

    def run(self) -> None:
        """Train to the end; raises [`Interrupted`] when the budget or a signal ends it sooner."""
        began = time.monotonic()
        before = self.minutes
        saved = began
        handlers = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            while self.stage < len(self.recipe.stages):
                stage = self.recipe.stages[self.stage]
                pictures, labels = self._view(stage)
                losses: list[Tensor] = []
                stage_seed = self.settings.seed * 100 + self.stage
                last = _WITHOUT_END if self.settings.clock_minutes else steps_of(stage, len(self.images))
                for step, positions in batches(len(labels), stage_seed, stage.batch, self.step, last):
                    rate = learning_rate(self.recipe, self.progress())
                    for group in self.optimizer.param_groups:
                        group["lr"] = rate
                    positions = positions.to(self.device)
                    losses.append(self._learn(pictures[positions], labels[positions], stage_seed * 1_000_000 + step))
                    epoch = self.seen // len(self.images)
                    self.step = step + 1
                    self.seen += stage.batch
                    now = time.monotonic()
                    self.minutes = before + (now - began) / 60
                    self._show(rate)
                    over = self.step == last or self._clock_is_over()
                    if self.seen // len(self.images) > epoch or over:
                        self._log(stage, losses, rate)
                        losses = []
                    out_of_time = now - began > self.settings.budget_minutes * 60
                    if self._stop or out_of_time:
                        self.save()
                        self.save_light()
                        raise Interrupted("stopped by a signal" if self._stop else "budget used up")
                    if over:
                        break
                    if now - saved > self.settings.snapshot_minutes * 60:
                        self.save()
                        saved = now
                self.stage, self.step = self.stage + 1, 0
                del pictures, labels
                self.save()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _view(self, stage: Stage) -> tuple[Tensor, Tensor]:
        """The pictures of a stage and their labels."""
        if stage.view == "whole":
            return self.images.resident(stage.size, self.device)
        return closeups(self.images, stage.size, self.device, native=stage.view == "native")

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._stop = True

    def progress(self) -> float:
        """Share of all pixels seen: counted in images, the late large stages would begin at a rate near zero.

        By the clock, the share of the time.
        """
        if self.settings.clock_minutes:
            return min(1.0, self.minutes / self.settings.clock_minutes)
        pixels = [steps_of(s, len(self.images)) * s.batch * s.size**2 for s in self.recipe.stages]
        stage = self.recipe.stages[self.stage]
        return (sum(pixels[: self.stage]) + self.step * stage.batch * stage.size**2) / sum(pixels)

    def _clock_is_over(self) -> bool:
        """Whether the time of the stage is up; never where pictures are counted."""
        until = sum(s.epochs for s in self.recipe.stages[: self.stage + 1]) / self.recipe.epochs()
        return self.settings.clock_minutes > 0 and self.progress() >= until * (1 - 1e-9)

    def _show(self, rate: float) -> None:
        if self.settings.quiet or not sys.stderr.isatty():
            return
        share = self.progress()
        left = self.minutes * (1 - share) / max(share, 1e-9)
        bar = "#" * int(30 * share)
        print(
            f"\r[{bar:<30}] {100 * share:5.1f} %  {self.seen / max(self.minutes, 1e-9) / 60:6.0f} images/s  "
            f"{left:5.1f} min left  lr {rate:.1e}",
            end="",
            file=sys.stderr,
            flush=True,
        )

    def _log(self, stage: Stage, losses: list[Tensor], rate: float) -> None:
        entry = {
            "epoch": round(self.seen / len(self.images), 3),
            "size": stage.size,
            "loss": round(float(torch.stack(losses).mean()), 5),
            "rate": rate,
            "minutes": round(self.minutes, 3),
        }
        self.history.append(entry)
        line = (
            f"epoch {entry['epoch']:7.2f}  {stage.size} px  loss {entry['loss']:.4f}  "
            f"lr {rate:.2e}  {self.minutes:.1f} min"
        )
        with (self.settings.out / LOG).open("a") as log:
            log.write(line + "\n")
        if not self.settings.quiet:
            print(line, flush=True)

    # --- result --------------------------------------------------------------------------------------------

    def result(self, tests: list[RenderedSet], size: int) -> dict:
        """Classify the test sets and write weights and result.json."""
        table = [accuracy(self.network, t, size, self.device).row() for t in tests]
        weights = {k: v.detach().cpu().contiguous().clone() for k, v in self.network.state_dict().items()}
        snapshots.save(self.settings.out / WEIGHTS, {"model": weights})
        result = {
            "schema": 1,
            "architecture": self.settings.architecture,
            "parameters": parameters(self.network),
            "classes": self.settings.classes,
            "input": {"width": size, "height": size, "mean": list(MEAN), "std": list(STD)},
            "training": {
                "set": self.images.name,
                "split": self.images.split,
                "per_class": self.images.per_class(),
                "preset": self.recipe.name,
                "epochs": round(self.seen / max(1, len(self.images)), 3)
                if self.settings.clock_minutes
                else round(self.recipe.epochs(), 3),
                "images_seen": self.seen,
                "seed": self.settings.seed,
                "start": self.settings.start_note,
                "hardware": hardware(self.device),
                "minutes": round(self.minutes, 2),
            }
            | ({} if self.images.strength is None else {"strength": self.images.strength}),
            "class_names": self.images.class_names,
            "notes": self.notes,
            "recipe": self.recipe.settings(),
            "torch": torch.__version__,
            "date": date.today().isoformat(),
            "history": self.history,
            "accuracy": table,
        }
        snapshots.write_json(self.settings.out / RESULT, result)
        return result


def train(
    settings: Settings,
    recipe: Preset,
    images: RenderedSet,
    tests: list[RenderedSet] | Callable[[], list[RenderedSet]],
) -> dict:
    """Train, or continue, and test; returns what result.json holds. Test sets may be opened as late as needed."""
    settings.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(settings, recipe, images)
    if not trainer.resume() and settings.fit_minutes > 0:
        trainer.fit(settings.fit_minutes)
    trainer.run()
    return trainer.result(tests() if callable(tests) else tests, recipe.stages[-1].size)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `train`."""
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--preset", default="tiny", choices=list(PRESETS))
    parser.add_argument("--train", type=Path, nargs="+", required=True, help="rendered set; several are mixed")
    parser.add_argument("--test", type=Path, nargs="*", default=[], help="rendered test sets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="checkpoint to start from (ours, MMPreTrain's or timm's)")
    parser.add_argument("--start-note", help="what the manifest says about the start")
    parser.add_argument("--trust", action="store_true", help="unpickle the start whole; it can run code")
    parser.add_argument("--deepen", action="store_true", help="the start is a shallower ConvNeXt (Small from Tiny)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 1 is fastest where others use the cores")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--budget-minutes", type=float, default=math.inf, help="stop cleanly; call again")
    parser.add_argument("--fit-minutes", type=float, default=0.0, help="measure the speed, scale the epochs to fit")
    parser.add_argument("--clock-minutes", type=float, default=0.0, help="train for this time, whatever the speed")
    parser.add_argument("--epochs-factor", type=float, default=1.0, help="multiply the preset's epochs")


def main(arguments: argparse.Namespace) -> int:
    """Run the command `train`."""
    a = arguments
    note = a.start_note or (f"{a.start.parent.name}/{a.start.name}" if a.start else "random")
    settings = Settings(
        architecture=a.architecture,
        out=a.out,
        seed=a.seed,
        start=a.start,
        start_note=note,
        trust=a.trust,
        deepen=a.deepen,
        device=a.device,
        threads=a.threads,
        compile=a.compile,
        budget_minutes=a.budget_minutes,
        fit_minutes=a.fit_minutes,
        clock_minutes=a.clock_minutes,
    )
    images = joined([open_set(p) for p in a.train]) if len(a.train) > 1 else open_set(a.train[0])
    tests = [open_set(p) for p in a.test]
    try:
        result = train(settings, preset(a.preset).scaled(a.epochs_factor), images, tests)
    except Interrupted as stop:
        print(f"{a.out}: {stop}; call again to continue", flush=True)
        return 0
    for row in result["accuracy"]:
        print(
            f"{row['set']}/{row['split']}: top-1 {100 * row['top1']:.2f} % "
            f"[{100 * row['low']:.2f}, {100 * row['high']:.2f}], n {row['n']}"
        )
    return 0
