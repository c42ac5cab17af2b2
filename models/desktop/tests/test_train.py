"""Training: learns, resumes bit for bit, counts honestly."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pictures import write_set

from roadgaze_desktop.data import open_set
from roadgaze_desktop.evaluate import wilson
from roadgaze_desktop.presets import PRESETS, Stage
from roadgaze_desktop.train import Interrupted, Settings, batches, learning_rate, train

SMOKE = replace(
    PRESETS["smoke"], augmentation=PRESETS["tiny"].augmentation, stages=(Stage(32, 6, 12), Stage(64, 2, 12))
)


def settings(out: Path, **more) -> Settings:
    return Settings("resnet-micro", out, classes=3, device="cpu", quiet=True, **more)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    train_set = open_set(write_set(root / "train", per_class=24))
    test_set = open_set(write_set(root / "test", split="test", seed=9))
    return train_set, test_set


def test_a_network_learns_and_says_so(tmp_path, sets):
    torch.set_num_threads(1)
    result = train(settings(tmp_path), SMOKE, sets[0], [sets[1]])
    row = result["accuracy"][0]
    assert row["top1"] > 0.9, result["history"]
    assert row["low"] < row["top1"] <= row["high"]
    assert result["training"]["images_seen"] == 72 * 8
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 8


def test_a_stopped_run_ends_where_an_unbroken_one_does(tmp_path, sets):
    unbroken = train(settings(tmp_path / "a"), SMOKE, sets[0], [])
    stops = 0
    while True:
        try:
            # no time at all: a batch a call, whatever the speed of the machine
            broken = train(settings(tmp_path / "b", budget_minutes=0.0), SMOKE, sets[0], [])
            break
        except Interrupted:
            stops += 1
    assert stops > 1
    assert broken["training"]["images_seen"] == unbroken["training"]["images_seen"]
    a, b = (torch.load(tmp_path / x / "weights.pt")["model"] for x in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_a_killed_run_continues(tmp_path):
    write_set(tmp_path / "train", per_class=24)
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    waited = time.monotonic()
    while not (tmp_path / "run" / "state.pt").is_file():
        assert child.poll() is None and time.monotonic() - waited < 60
        time.sleep(0.02)
    time.sleep(0.2)
    child.send_signal(signal.SIGKILL)
    child.wait()
    images = open_set(tmp_path / "train")
    long = replace(SMOKE, stages=(Stage(32, 1e6, 12),))
    with pytest.raises(Interrupted):
        train(settings(tmp_path / "run", budget_minutes=0), long, images, [])
    state = torch.load(tmp_path / "run" / "state.pt")
    assert state["step"] > 1 and state["seen"] == 12 * state["step"]


KILLED = """
import sys; from pathlib import Path; from dataclasses import replace
import torch; torch.set_num_threads(1)
from roadgaze_desktop.data import open_set
from roadgaze_desktop.presets import PRESETS, Stage
from roadgaze_desktop.train import Settings, train
root = Path(sys.argv[1])
recipe = replace(PRESETS["smoke"], stages=(Stage(32, 1e6, 12),))
out = Settings("resnet-micro", root / "run", classes=3, device="cpu", quiet=True, snapshot_minutes=0.0)
train(out, recipe, open_set(root / "train"), [])
"""


def test_another_runs_snapshot_is_refused(tmp_path, sets):
    with pytest.raises(Interrupted):
        train(settings(tmp_path, budget_minutes=0), SMOKE, sets[0], [])
    with pytest.raises(ValueError, match="other seed"):
        train(settings(tmp_path, seed=2), SMOKE, sets[0], [])


def test_a_snapshot_of_another_strength_is_refused(tmp_path, sets):
    # one set by name, other pictures
    dose = replace(sets[0], strength=0.25)
    with pytest.raises(Interrupted):
        train(settings(tmp_path, budget_minutes=0), SMOKE, dose, [])
    for other in (replace(dose, strength=0.5), replace(dose, strength=0.0), sets[0]):
        with pytest.raises(ValueError, match="other strength"):
            train(settings(tmp_path, budget_minutes=0), SMOKE, other, [])
    with pytest.raises(Interrupted):
        train(settings(tmp_path, budget_minutes=0), SMOKE, dose, [])
    # and the set's own is not continued with a dose
    with pytest.raises(Interrupted):
        train(settings(tmp_path / "own", budget_minutes=0), SMOKE, sets[0], [])
    with pytest.raises(ValueError, match="other strength"):
        train(settings(tmp_path / "own", budget_minutes=0), SMOKE, dose, [])


def test_epochs_are_scaled_to_the_time_given(tmp_path, sets):
    result = train(settings(tmp_path, fit_minutes=0.02), SMOKE, sets[0], [])
    assert result["training"]["epochs"] != SMOKE.epochs()
    assert result["training"]["minutes"] < 0.2


def test_by_the_clock_every_stage_gets_its_share_of_the_time(tmp_path, sets):
    recipe = replace(SMOKE, stages=(Stage(32, 0.25, 12), Stage(64, 0.75, 12)))
    result = train(settings(tmp_path, clock_minutes=0.04), recipe, sets[0], [])
    first = max(h["minutes"] for h in result["history"] if h["size"] == 32)
    last = result["history"][-1]
    assert last["size"] == 64 and last["rate"] < 0.05 * recipe.learning_rate
    # a step may end late, none ends early
    assert 0.01 <= first < 0.02 and 0.04 - 1e-3 <= last["minutes"] < 0.06
    assert result["training"]["epochs"] == pytest.approx(result["training"]["images_seen"] / 72, abs=1e-3)


def test_every_pass_sees_every_picture_once():
    seen = torch.cat([p for _, p in batches(10, 1, 4, 0, 5)])
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))
    assert seen[:10].tolist() != seen[10:].tolist()
    later = torch.cat([p for _, p in batches(10, 1, 4, 3, 5)])
    assert torch.equal(later, seen[12:])


def test_the_learning_rate_rises_then_falls_to_zero():
    recipe = PRESETS["paper"]
    rates = [learning_rate(recipe, p / 1000) for p in range(1001)]
    assert max(rates) == pytest.approx(1e-3, rel=1e-3)
    assert rates.index(max(rates)) == 50
    assert rates[-1] < 1e-12


def test_wilson_interval_of_known_cases():
    # Newcombe, Stat. Med. 17 (1998) 857, table I, method 3
    for correct, n, low, high in ((81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        assert wilson(correct, n) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert not math.isnan(sum(wilson(0, 0)))


def test_no_epochs_import_foreign_weights(tmp_path, sets):
    first = train(settings(tmp_path / "a"), SMOKE, sets[0], [sets[1]])
    start = tmp_path / "a" / "weights.pt"
    imported = train(settings(tmp_path / "b", start=start, start_note="a"), SMOKE.scaled(0), sets[0], [sets[1]])
    assert imported["accuracy"] == first["accuracy"]
    assert imported["training"]["images_seen"] == 0 and imported["training"]["start"] == "a"
