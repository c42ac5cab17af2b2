"""A deeper ConvNeXt that begins by computing what a shallower one computes.

ConvNeXt-Small is ConvNeXt-Tiny with 27 instead of 9 blocks in its third stage, all else being equal (arXiv 2201.03545,
section 3.1). A block adds its branch times a layer scale to what passes through, so a fresh block, whose layer scale
is 1e-6, changes next to nothing: spread between the trained ones it is a start that keeps what was learned
(Net2DeeperNet of arXiv 1511.05641, section 2.4, for residual networks). The fresh blocks learn from there.
"""

import re
from collections import defaultdict

from torch import Tensor

_BLOCK = re.compile(r"features\.(\d+)\.(\d+)\.(block\..*|layer_scale)")


def _depths(weights: dict[str, Tensor]) -> dict[int, int]:
    """Blocks of each stage."""
    blocks: dict[int, set[int]] = defaultdict(set)
    for name in weights:
        if found := _BLOCK.fullmatch(name):
            blocks[int(found[1])].add(int(found[2]))
    return {stage: len(found) for stage, found in blocks.items()}


def places(shallow: int, deep: int) -> list[int]:
    """Where the blocks of a shallow stage go in a deep one: evenly spread, the first one first."""
    if not 0 < shallow <= deep:
        raise ValueError(f"a stage of {shallow} blocks cannot grow into one of {deep}; expected at least as many")
    return [k * deep // shallow for k in range(shallow)]


def deepened(weights: dict[str, Tensor], fresh: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a ConvNeXt, spread over the blocks of a deeper one whose untrained weights are `fresh`.

    Raises `ValueError` if a stage has more blocks than it is to have.
    """
    old, new = _depths(weights), _depths(fresh)
    if not old or old.keys() != new.keys():
        raise ValueError(f"expected ConvNeXt of equally many stages, found blocks in {sorted(old)} and {sorted(new)}")
    where = {stage: places(old[stage], new[stage]) for stage in old}
    result = dict(fresh)
    for name, value in weights.items():
        if found := _BLOCK.fullmatch(name):
            stage = int(found[1])
            name = f"features.{stage}.{where[stage][int(found[2])]}.{found[3]}"
        result[name] = value
    return result
