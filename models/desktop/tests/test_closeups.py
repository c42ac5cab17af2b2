"""Close-ups: the window follows the mask, stays in the picture, and names what is missing."""

import numpy as np
import pytest
import torch

from roadgaze_desktop.closeups import closeups, window
from roadgaze_desktop.data import RenderedSet

CPU = torch.device("cpu")


def one(mask: np.ndarray | None) -> RenderedSet:
    picture = np.zeros((1, 40, 40, 3), dtype=np.uint8)
    picture[0, 10:20, 20:30] = (255, 0, 0)
    masks = None if mask is None else [mask[None]]
    return RenderedSet("set", "CF", "train", [picture], np.array([7]), np.array([3]), masks)


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[top : top + side, left : left + side] = 255
    return mask


def test_window_is_centred_on_the_sign_with_a_margin():
    assert window(square(10, 20, 10)) == (18, 8, 13)


def test_window_is_moved_into_the_picture():
    assert window(square(0, 30, 10)) == (27, 0, 13)
    assert window(square(0, 0, 40)) == (0, 0, 40)


def test_faint_coverage_does_not_widen_the_window():
    mask = square(10, 20, 10)
    mask[0, 0] = 127
    assert window(mask) == window(square(10, 20, 10))


def test_closeup_shows_the_sign():
    pictures, labels = closeups(one(square(10, 20, 10)), 13, CPU)
    assert pictures.shape == (1, 3, 13, 13)
    assert labels.tolist() == [7]
    assert (pictures[0, 0] == 255).sum() == 100


def test_missing_and_empty_masks_are_named():
    with pytest.raises(ValueError, match="no masks"):
        closeups(one(None), 13, CPU)
    with pytest.raises(ValueError, match="class 7, index 3: expected a mask"):
        closeups(one(np.zeros((40, 40), dtype=np.uint8)), 13, CPU)


def test_native_windows_keep_the_scale_and_show_large_signs_whole():
    assert window(square(10, 20, 10), least=16) == (17, 7, 16)
    assert window(square(5, 5, 30), least=16) == (3, 3, 33)
    pictures, _ = closeups(one(square(10, 20, 10)), 16, CPU, native=True)
    assert (pictures[0, 0] == 255).sum() == 100
