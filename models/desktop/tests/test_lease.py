"""A lease of a GPU: parts become one set, what is trained is judged and goes home, no call waits past its time."""

import json
import time

import pytest
from pictures import write_set
from test_campaign import binary  # noqa: F401 a fixture

from roadgaze_desktop import lease as l
from roadgaze_desktop import pieces
from roadgaze_desktop.presets import PRESETS


@pytest.fixture
def lent(tmp_path, binary, monkeypatch):  # noqa: F811 the fixture
    monkeypatch.setattr(
        l, "PARTS", (("CF", "train", 0, 6), ("CF", "test", 0, 2), ("UF", "test", 0, 2), ("CF", "train", 6, 3))
    )
    work = tmp_path / "work"
    work.mkdir()
    (work / l.BEGAN).write_text(str(time.time()))
    return l.Lease(work, binary, tmp_path, scale=1.0, pace=1.0, threads=1, small=True)


def test_parts_of_a_set_are_one_set_as_far_as_they_are_ready(lent):
    assert lent.ready("CF", "train") == []
    lent.render()
    images = lent.opened("CF", "train", 2)
    assert (images.name, len(images)) == ("CF", 3 * (6 + 3))
    assert [f.name for f in lent.ready("CF", "train")] == ["CF-train-0000-0006", "CF-train-0006-0009"]


def test_a_network_is_trained_judged_on_all_that_is_there_and_handed_over(lent, tmp_path):
    lent.render()
    # three classes are what the made-up sets have; the network keeps its 82 outputs
    weights = lent.train(
        "resnet-micro-cf", "resnet-micro", PRESETS["smoke"], lent.opened("CF", "train"), None, "random", 0
    )
    lent.judge("resnet-micro-cf")
    result = json.loads((weights.parent / "result.json").read_text())
    assert [(a["set"], a["n"]) for a in result["accuracy"]] == [("CF", 6), ("UF", 6)]
    lent.send("network", [weights, tmp_path / "absent"])
    out = tmp_path / "out"
    out.mkdir()
    l.deliver(lent, out, until=0, mebibytes=63)
    home = pieces.join(out / "network.tar.pieces.json", [out], tmp_path / "home")
    assert home.stat().st_size > weights.stat().st_size and (out / "logs.tar").is_file()
    began = time.monotonic()
    l.deliver(lent, out, until=lent.now() + 1, mebibytes=63)
    assert time.monotonic() - began < 3


def test_training_ends_by_the_timetable(lent):
    write_set(lent.folder(("CF", "train", 0, 6)), per_class=6)
    began = time.monotonic()
    lent.train(
        "resnet-micro-cf", "resnet-micro", PRESETS["smoke"], lent.opened("CF", "train"), None, "random", lent.now() + 5
    )
    assert 4 < time.monotonic() - began < 9
