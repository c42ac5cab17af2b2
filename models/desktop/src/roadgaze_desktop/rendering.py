"""Rendered sets on demand: the `roadgaze` binary works through a queue on the CPU while the GPU trains."""

import queue
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Order:
    """One split of one set."""

    set: str
    split: str
    per_class: int
    strength: float | None = None
    """Of the correlation of a C set in place of its own, 0 to 1 in hundredths."""

    @property
    def folder_name(self) -> str:
        """For example `CF-train-500`, or `CF@0.25-train-500`."""
        dose = "" if self.strength is None else f"@{self.strength:.2f}"
        return f"{self.set}{dose}-{self.split}-{self.per_class}"


class RenderError(ValueError):
    """The binary ended with an error; the message holds the end of what it said."""


class Renderer:
    """Renders orders one after the other in a thread of its own; what is on the disk already is not made again."""

    def __init__(self, binary: Path, data: Path, threads: int, size: int = 224):
        self.binary = binary
        self.data = data
        self.threads = threads
        self.size = size
        self._queue: queue.Queue[Order | None] = queue.Queue()
        self._done: dict[Order, threading.Event] = {}
        self._errors: dict[Order, str] = {}
        self._process: subprocess.Popen | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def folder(self, order: Order) -> Path:
        """Where the set lies."""
        return self.data / order.folder_name

    def ask(self, order: Order) -> None:
        """Queue an order, unless it is queued or done."""
        if order not in self._done:
            self._done[order] = threading.Event()
            self._queue.put(order)

    def wait(self, order: Order) -> Path:
        """Block until the set is there; raises `RenderError`."""
        self.ask(order)
        self._done[order].wait()
        if order in self._errors:
            raise RenderError(self._errors[order])
        return self.folder(order)

    def stop(self) -> None:
        """End the render in progress; the binary continues it when it is asked again."""
        self._stopped = True
        self._queue.put(None)
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        self._thread.join(timeout=10)

    def command(self, order: Order) -> list[str]:
        """What is run."""
        options = {
            "--set": order.set,
            "--split": order.split,
            "--per-class": order.per_class,
            "--format": "npy",
            "--size": self.size,
            "--threads": self.threads,
            "--out": self.folder(order),
        }
        if order.strength is not None:
            options["--strength"] = f"{order.strength:.2f}"
        return [str(self.binary), "render", *[str(x) for pair in options.items() for x in pair]]

    def _work(self) -> None:
        while (order := self._queue.get()) is not None and not self._stopped:
            try:
                if not (self.folder(order) / "dataset.toml").is_file():
                    self._render(order)
            except OSError as error:
                self._errors[order] = f"{self.binary}: cannot be run: {error}; give it with --binary"
            self._done[order].set()

    def _render(self, order: Order) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            self.command(order), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        said = self._process.communicate()[1]
        if self._process.returncode != 0:
            self._errors[order] = f"{order.folder_name}: render ended with {self._process.returncode}: {said[-400:]}"
