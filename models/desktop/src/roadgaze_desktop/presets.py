"""Training recipes by name: how long, at which sizes, how fast, on what.

The paper says 100 epochs at a learning rate of 1e-3; optimiser, batch size, augmentation and initialisation are
unknown and are choices of ours.
"""

from dataclasses import asdict, dataclass, field, replace

from .augment import NONE, Augmentation


@dataclass(frozen=True)
class Stage:
    """A stretch of training at one picture size."""

    size: int
    """Pixels."""
    epochs: float
    """Passes over the training set; parts of a pass are allowed."""
    batch: int
    view: str = "whole"
    """`whole` pictures, or `closeup` or `native` windows about the signs, which need masks (see `closeups`)."""


@dataclass(frozen=True)
class Preset:
    """A whole recipe; AdamW, linear warm-up, cosine to zero over all stages together."""

    name: str
    stages: tuple[Stage, ...]
    learning_rate: float
    weight_decay: float = 0.05
    """Not applied to biases, norms and layer scales."""
    warmup_share: float = 0.05
    """Share of all pixels seen during warm-up."""
    label_smoothing: float = 0.0
    clip_norm: float = 0.0
    """Largest norm of the gradient; 0 is no clipping."""
    autocast: bool = False
    """Forward and loss in bf16; weights and optimiser stay f32."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    fixed_norms: bool = False
    """Batch norms keep their running statistics: for a start whose norms were folded, or for tiny batches."""
    frozen: tuple[str, ...] = ()
    """Modules whose weights stay: no gradient goes back through the first ones, which saves their time."""

    def scaled(self, factor: float) -> "Preset":
        """Multiply the epochs of every stage."""
        return replace(self, stages=tuple(replace(s, epochs=s.epochs * factor) for s in self.stages))

    def epochs(self) -> float:
        """Passes over the training set in all."""
        return sum(s.epochs for s in self.stages)

    def settings(self) -> dict:
        """Everything, as plain values for a log."""
        table = asdict(self)
        return table | {"stages": list(table["stages"]), "frozen": list(table["frozen"])}


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("paper", (Stage(224, 100, 64),), learning_rate=1e-3, clip_norm=5.0),
        Preset(
            "gpu-short",
            (Stage(112, 9, 256), Stage(160, 5, 256), Stage(224, 3, 256)),
            learning_rate=2e-3,
            clip_norm=1.0,
            autocast=True,
        ),
        Preset(
            "cpu-night",
            (Stage(64, 8, 64), Stage(112, 3, 64), Stage(224, 1, 32)),
            learning_rate=1e-3,
            clip_norm=1.0,
        ),
        # two steps that both kinds of sets share, then whole pictures of one set; an hour of one core with AMX for two
        # networks; rates this high, because a low one does not move a fresh AdamW far enough in so few steps
        Preset(
            "cpu-start",
            (Stage(64, 5.5, 64, "closeup"),),
            learning_rate=1.5e-3,
            clip_norm=1.0,
            autocast=True,
        ),
        Preset("cpu-middle", (Stage(160, 1.0, 32, "native"),), learning_rate=1.2e-3, clip_norm=1.0, autocast=True),
        Preset("cpu-end", (Stage(224, 0.8, 32),), learning_rate=8e-4, clip_norm=1.0, autocast=True),
        # goes on from a network exported before, on a CPU without AMX: the later half learns, at low rates
        Preset(
            "cpu-tune",
            (Stage(224, 1.0, 32),),
            learning_rate=1.5e-4,
            clip_norm=1.0,
            fixed_norms=True,
            frozen=("conv1", "bn1", "layer1", "layer2"),
        ),
        # for `--deepen`: the stages that grow and those behind them learn, in windows at scale and then whole pictures
        Preset(
            "cpu-deepen",
            (Stage(160, 0.6, 32, "native"), Stage(224, 0.5, 32)),
            learning_rate=4e-4,
            clip_norm=1.0,
            autocast=True,
            frozen=("features.0", "features.1", "features.2", "features.3"),
        ),
        Preset(
            "tiny",
            (Stage(64, 4, 64), Stage(112, 1.5, 64), Stage(160, 0.4, 64), Stage(224, 0.3, 32)),
            learning_rate=4e-3,
            clip_norm=1.0,
        ),
        # many small trainings of one kind: 99.7 % and more on CF from 300 pictures a class
        Preset(
            "tiny-short",
            (Stage(64, 4, 64), Stage(112, 2, 64), Stage(160, 1, 64), Stage(224, 0.6, 64)),
            learning_rate=4e-3,
            clip_norm=1.0,
            autocast=True,
        ),
        Preset("smoke", (Stage(32, 2, 16),), learning_rate=3e-3, augmentation=NONE),
    )
}


def preset(name: str) -> Preset:
    """Look a preset up by name; a `ValueError` lists the names there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ValueError(f"preset `{name}`: unknown; expected one of {', '.join(PRESETS)}") from None
