"""A deeper ConvNeXt that begins by computing nearly what a shallower one computes.

ConvNeXt-Small is ConvNeXt-Tiny with 27 instead of 9 blocks in its third stage, all else being equal (arXiv 2201.03545,
section 3.1). A block adds its branch times a layer scale to what passes through: a step of Euler's method. So each
trained block becomes several equal ones with layer scales divided by their number, smaller steps along the same way
(Chang et al., arXiv 1710.10348, section 3), and all of them take part from the beginning. Fresh blocks with a layer
scale of 1e-6 would compute exactly the same, but where there is nothing left to learn they stay what they are: after
9,000 pictures theirs were 0.002 beside the 0.06 of the others.
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


def sources(shallow: int, deep: int) -> list[int]:
    """For each block of a deep stage the block of the shallow one that it is a part of: in order, evenly."""
    if not 0 < shallow <= deep:
        raise ValueError(f"a stage of {shallow} blocks cannot grow into one of {deep}; expected at least as many")
    return [k * shallow // deep for k in range(deep)]


def deepened(weights: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a ConvNeXt, each block cut into as many as the deeper one with the weights `expected` has.

    Raises `ValueError` if a stage has more blocks than it is to have.
    """
    old, new = _depths(weights), _depths(expected)
    if not old or old.keys() != new.keys():
        raise ValueError(f"expected ConvNeXt of equally many stages, found blocks in {sorted(old)} and {sorted(new)}")
    result = {name: value for name, value in weights.items() if not _BLOCK.fullmatch(name)}
    for stage in old:
        parts = sources(old[stage], new[stage])
        for block, source in enumerate(parts):
            prefix = f"features.{stage}.{source}."
            for name in [n for n in weights if n.startswith(prefix)]:
                value = weights[name]
                if name.endswith("layer_scale"):
                    value = value / parts.count(source)
                result[f"features.{stage}.{block}.{name.removeprefix(prefix)}"] = value
    return result
