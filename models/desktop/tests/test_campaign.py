"""The campaign: order, skipping, slices, and what comes home; rendering is played by a small script."""

import json
import sys
from pathlib import Path

import pytest
from pictures import write_catalogue

from roadgaze_desktop import campaign as c
from roadgaze_desktop import pieces
from roadgaze_desktop.__main__ import main
from roadgaze_desktop.rendering import Order, Renderer, RenderError

RENDERER = f"""#!{sys.executable}
import shutil, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from pictures import write_set
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
if options["--set"] == "UH":
    sys.exit("UH: no such set")
# a killed call leaves a part, which the next one makes good
shutil.rmtree(options["--out"], ignore_errors=True)
write_set(Path(options["--out"]), name=options["--set"], split=options["--split"], classes=3,
          per_class=int(options["--per-class"]), seed=hash(options["--split"]) % 100)
"""


@pytest.fixture
def binary(tmp_path):
    path = tmp_path / "roadgaze"
    path.write_text(RENDERER)
    path.chmod(0o755)
    return path


def test_the_list_is_the_papers_27_frontal_pairs_first():
    names = [t.name for t in c.in_order_of_value()]
    assert len(set(names)) == len(names) == 27
    assert names[:4] == ["resnet50-cf", "resnet50-uf", "convnext-tiny-cf", "convnext-tiny-uf"]
    with pytest.raises(ValueError, match="expected ARCHITECTURE:SET"):
        c.parse_trainings("resnet50:XY")


def test_a_dose_is_rendered_at_its_strength():
    dose, own = c.parse_trainings("resnet-tiny:CF@0.25,resnet50:CF")
    assert (dose.name, dose.strength, own.strength) == ("resnet-tiny-cf@0.25", 0.25, None)
    renderer = Renderer(Path("roadgaze"), Path("data"), 1)
    orders = [Order("CF", "train", 5, t.strength) for t in (dose, own)]
    told = [renderer.command(order) for order in orders]
    assert told[0][told[0].index("--strength") + 1] == "0.25" and "--strength" not in told[1]
    assert [o.folder_name for o in orders] == ["CF@0.25-train-5", "CF-train-5"]
    renderer.stop()
    for wrong in ("UF@0.5", "CF@1.5", "CF@", "CF@0.255", "CMC@0.5", "CF@half"):
        with pytest.raises(ValueError, match="expected a C set and a strength"):
            c.parse_trainings(f"resnet50:{wrong}")


def test_a_set_is_trained_on_again_from_another_seed():
    first, second, dose = c.parse_trainings("resnet-tiny:CF,resnet-tiny:CF#2,resnet-tiny:CF@0.25#3")
    assert (first.name, first.seed) == ("resnet-tiny-cf", None)
    assert (second.name, second.seed) == ("resnet-tiny-cf-seed2", 2)
    assert (dose.name, dose.strength, dose.seed) == ("resnet-tiny-cf@0.25-seed3", 0.25, 3)
    for wrong in ("CF#", "CF#x", "CF#-1", "CF#2@0.5"):
        with pytest.raises(ValueError, match=r"expected a whole number"):
            c.parse_trainings(f"resnet50:{wrong}")


def test_the_renderer_waits_reports_and_does_not_repeat(tmp_path, binary):
    renderer = Renderer(binary, tmp_path / "data", 2)
    first = renderer.wait(Order("CF", "train", 4))
    stamp = (first / "dataset.toml").stat().st_mtime_ns
    assert (
        Renderer(binary, tmp_path / "data", 2).wait(Order("CF", "train", 4)) / "dataset.toml"
    ).stat().st_mtime_ns == stamp
    with pytest.raises(RenderError, match="no such set"):
        renderer.wait(Order("UH", "test", 4))
    renderer.stop()
    with pytest.raises(RenderError, match="cannot be run"):
        Renderer(tmp_path / "absent", tmp_path / "data", 2).wait(Order("CM", "test", 4))


def test_slices_finish_skip_and_come_home(tmp_path, binary, monkeypatch, capsys):
    monkeypatch.setattr(c, "SETS", ("CF", "UF", "CM"))
    monkeypatch.setattr(c, "MINUTES_AT_LEAST", 0.0)
    catalogue = write_catalogue(tmp_path / "catalogue.toml", 82)
    command = ["campaign", "--binary", str(binary), "--work", str(tmp_path / "work"), "--preset", "smoke"]
    command += ["--catalogue", str(catalogue), "--device", "cpu", "--train-per-class", "8"]
    command += ["--test-per-class", "2", "--own-test-per-class", "4", "--trainings"]
    two = [*command, "resnet-micro:CF,resnet-micro:CMC", "--out"]
    assert main([*two, str(tmp_path / "one"), "--budget-minutes", "0.0001"]) == 0
    cut = json.loads((tmp_path / "one" / "campaign.json").read_text())
    assert [row["result"] for row in cut["trainings"]] == [None, None]
    assert main([*two, str(tmp_path / "two")]) == 0
    table = json.loads((tmp_path / "two" / "campaign.json").read_text())
    cf, cmc = (row["result"] for row in table["trainings"])
    assert [(a["set"], a["n"]) for a in cf["accuracy"]] == [("CF", 12), ("UF", 6), ("CM", 6)]
    assert cmc["training"]["set"] == "CMC"
    assert [(a["set"], a["n"]) for a in cmc["accuracy"]] == [("CMC", 4), ("CFC", 2), ("UFC", 2)]
    index = tmp_path / "two" / "resnet-micro-cf.weights.pt.pieces.json"
    assert pieces.join(index, [tmp_path / "two"], tmp_path / "home").stat().st_size > 40_000
    # a fresh machine with nothing but the table trains nothing again
    fresh = [*command, "resnet-micro:CF", "--out", str(tmp_path / "three"), "--carried", str(tmp_path / "two")]
    fresh[fresh.index("--work") + 1] = str(tmp_path / "fresh")
    capsys.readouterr()
    assert main(fresh) == 0
    said = capsys.readouterr().out
    assert "finished now: none" in said and "| resnet-micro-cf | smoke, 2.0" in said


def test_a_fresh_machine_goes_on_from_carried_weights(tmp_path, binary, monkeypatch):
    monkeypatch.setattr(c, "SETS", ("CF",))
    monkeypatch.setattr(c, "MINUTES_AT_LEAST", 0.0)
    command = ["campaign", "--binary", str(binary), "--preset", "smoke", "--trainings", "resnet-micro:CF"]
    command += ["--device", "cpu", "--train-per-class", "8", "--own-test-per-class", "4"]
    slice_one = ["--work", str(tmp_path / "a"), "--out", str(tmp_path / "home"), "--budget-minutes", "0.0001"]
    # on a busy machine the first calls spend their time on rendering
    for _ in range(20):
        assert main([*command, *slice_one]) == 0
        if any((tmp_path / "home").glob("*light.pt.pieces.json")):
            break
    index = next((tmp_path / "home").glob("*light.pt.pieces.json"))
    pieces.join(index, [tmp_path / "home"], tmp_path / "carried")
    slice_two = ["--work", str(tmp_path / "b"), "--out", str(tmp_path / "home"), "--carried", str(tmp_path / "carried")]
    assert main([*command, *slice_two]) == 0
    result = json.loads((tmp_path / "home" / "campaign.json").read_text())["trainings"][0]["result"]
    assert result["notes"][0].startswith("optimiser restarted after")
    assert result["training"]["images_seen"] == 48
