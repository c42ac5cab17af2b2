"""The desktop reference run over a small set."""

import gzip
import json

import pytest
from pictures import write_set

pytest.importorskip("captum", reason="captum is not installed: pip install '.[attribution]'")

from roadgaze_desktop.__main__ import main


def test_every_image_gets_a_line_with_both_maps(tmp_path, capsys):
    write_set(tmp_path / "CF", size=224, per_class=2)
    train = ["train", "--architecture", "resnet-micro", "--preset", "smoke", "--train", str(tmp_path / "CF")]
    assert main([*train, "--out", str(tmp_path / "run"), "--device", "cpu"]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    result["input"] |= {"width": 224, "height": 224}
    (tmp_path / "run" / "result.json").write_text(json.dumps(result))
    out = tmp_path / "logs" / "cf.jsonl.gz"
    command = ["reference", str(tmp_path / "run"), "--data", str(tmp_path / "CF"), "--per-class", "1"]
    assert main([*command, "--shap-evals", "60", "--device", "cpu", "--out", str(out)]) == 0
    head, *rows = [json.loads(line) for line in gzip.decompress(out.read_bytes()).decode().splitlines()]
    assert head["images"] == 3 and head["set"] == "CF/train"
    assert [(r["class"], r["index"]) for r in rows] == [(0, 0), (1, 0), (2, 0)]
    for row in rows:
        assert row["coverage"] == pytest.approx(0.25)
        assert len(row["gradcam"]["map"]) == len(row["kernel_shap"]["map"]) == 7
        assert row["kernel_shap"]["pixel_ratio"] is None or 0 <= row["kernel_shap"]["pixel_ratio"] <= 1
    assert "3 images" in capsys.readouterr().out


def test_sets_of_another_size_are_refused(tmp_path, capsys):
    write_set(tmp_path / "CF", size=64, per_class=2)
    train = ["train", "--architecture", "resnet-micro", "--preset", "smoke", "--train", str(tmp_path / "CF")]
    assert main([*train, "--out", str(tmp_path / "run"), "--device", "cpu"]) == 0
    command = ["reference", str(tmp_path / "run"), "--data", str(tmp_path / "CF"), "--out", str(tmp_path / "x")]
    assert main(command) == 2
    assert "pictures of 64 pixels, the network takes 32" in capsys.readouterr().err
