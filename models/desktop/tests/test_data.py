"""Reading rendered sets."""

import numpy as np
import pytest
import torch
from pictures import write_set
from PIL import Image

from roadgaze_desktop.augment import NONE, Augmentation, augmented
from roadgaze_desktop.data import joined, open_set, resized

CPU = torch.device("cpu")


def test_shards_keep_order_labels_and_masks(tmp_path):
    images = open_set(write_set(tmp_path / "CF"))
    assert (images.name, images.split, len(images), images.size) == ("CF", "train", 36, 32)
    assert images.labels.tolist() == [0] * 12 + [1] * 12 + [2] * 12
    assert images.indices.tolist() == list(range(12)) * 3
    assert [m.shape for m in images.masks] == [(18, 32, 32), (18, 32, 32)]
    pictures, labels = images.resident(32, CPU)
    assert pictures.shape == (36, 3, 32, 32)
    assert labels[35] == 2
    stored = np.load(tmp_path / "CF" / "images-00001.npy")[17]
    assert (pictures[35].permute(1, 2, 0).numpy() == stored).all()


def test_restriction_keeps_ids(tmp_path):
    folder = write_set(tmp_path / "CM", name="CM")
    assert open_set(folder).strength is None
    description = folder / "dataset.toml"
    description.write_text("strength = 0.25\n" + description.read_text())
    images = open_set(folder)
    some = images.restricted_to([2]).first_per_class(5)
    assert some.labels.tolist() == [2] * 5
    assert some.strength == 0.25
    assert len(joined([images, images])) == 72


def test_folders_of_pictures_are_read_by_number_not_by_name(tmp_path):
    for label, name in ((0, "0_Halt"), (10, "10_Stop"), (2, "2_Ende")):
        folder = tmp_path / "S" / "Cycles" / name
        folder.mkdir(parents=True)
        for i in (0, 1, 10):
            Image.fromarray(np.full((8, 8, 3), label * 10 + i, np.uint8)).save(folder / f"{i}_cycles.png")
    images = open_set(tmp_path / "S")
    assert images.labels.tolist() == [0] * 3 + [2] * 3 + [10] * 3
    assert images.indices.tolist() == [0, 1, 10] * 3
    assert images.images[0][8, 0, 0, 0] == 110


def test_pictures_stand_upright(tmp_path):
    folder = tmp_path / "S" / "0_Halt"
    folder.mkdir(parents=True)
    lying = np.zeros((8, 8, 3), np.uint8)
    lying[:, 0] = 200
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(lying).save(folder / "0_a.png", exif=turned)
    image = open_set(tmp_path / "S").images[0][0]
    assert (image[0] == 200).all()
    assert (image[1:] == 0).all()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda p: (p / "labels-00001.npy").unlink(), "36 images but 18 labels"),
        (lambda p: np.save(p / "images-00000.npy", np.zeros((2, 3))), "expected images n H W 3"),
        (lambda p: [f.unlink() for f in p.glob("*.npy")], "found neither"),
    ],
)
def test_broken_sets_are_refused(tmp_path, break_it, message):
    folder = write_set(tmp_path / "CF")
    break_it(folder)
    with pytest.raises(ValueError, match=message):
        open_set(folder)


def test_augmentation_is_a_function_of_its_seed_and_never_mirrors():
    batch = torch.zeros(64, 3, 32, 32)
    batch[:, :, :, 4:8] = 1  # left of the middle
    one, two = (augmented(batch, Augmentation(), torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)
    left, right = one[..., :16].sum(), one[..., 16:].sum()
    assert left > 20 * right
    assert augmented(batch, NONE, torch.Generator()) is batch
    same = augmented(batch, Augmentation(0, 0, 0, 0, 0, 1e-9), torch.Generator())
    assert torch.allclose(same, batch, atol=1e-5)


def test_resize_halves_by_the_triangle_filter():
    ramp = torch.arange(8, dtype=torch.uint8).repeat(8, 1)[None, None] * 8
    half = resized(ramp, 4)[0, 0, 1]
    # weights 1 3 3 1 over 8, cut and renormalised at the border
    assert half.tolist() == [6, 20, 36, 50]
