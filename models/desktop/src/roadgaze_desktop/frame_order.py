"""The order in which a device takes the frames of a rendered set, so that the first N here are the first N there.

`datasets/src/synthetic.rs`: index by index, the classes of each index shuffled by a SplitMix64 stream that is started
from the index alone (Fisher and Yates, from the last place down).
"""

from collections.abc import Sequence

BITS = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def _mix(x: int) -> int:
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & BITS
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & BITS
    return x ^ (x >> 31)


def _key(domain: str, word: int) -> int:
    name = 0xCBF29CE484222325
    for byte in domain.encode():
        name = (name ^ byte) * 0x100000001B3 & BITS
    return _mix((_mix(name) + GAMMA & BITS) ^ _mix(word))


def shuffled(classes: int, index: int) -> list[int]:
    """Places of the classes 0 to `classes` - 1 among the frames with this index."""
    order = list(range(classes))
    state = _key("order", index)
    for last in range(classes - 1, 0, -1):
        state = state + GAMMA & BITS
        other = _mix(state) * (last + 1) >> 64
        order[last], order[other] = order[other], order[last]
    return order


def device_order(labels: Sequence[int], indices: Sequence[int]) -> list[int]:
    """Positions in a set, given class and index of each of its pictures, in the order of the device."""
    classes = sorted({int(label) for label in labels})
    ranks: dict[int, dict[int, int]] = {}
    for index in {int(i) for i in indices}:
        ranks[index] = {classes[c]: place for place, c in enumerate(shuffled(len(classes), index))}
    return sorted(range(len(labels)), key=lambda i: (int(indices[i]), ranks[int(indices[i])][int(labels[i])]))
