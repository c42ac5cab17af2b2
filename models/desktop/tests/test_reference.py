"""The desktop reference run over a small set, and the graph in PyTorch that it explains."""

import argparse
import json
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from pictures import write_set

pytest.importorskip("captum", reason="captum is not installed: pip install '.[attribution]'")

import torch
from PIL import Image

from roadgaze_desktop import attribution, reference, run_store
from roadgaze_desktop.__main__ import main
from roadgaze_desktop.architectures import ARCHITECTURES
from roadgaze_desktop.data import normalized, open_set
from roadgaze_desktop.export import onnx_of
from roadgaze_desktop.frame_order import device_order
from roadgaze_desktop.graph import feature_map_of, head_of, with_f16_weights
from roadgaze_desktop.manifest import manifest, to_toml
from roadgaze_desktop.networks import OrtNetwork, TorchNetwork, described

ROOT = Path(__file__).parents[3]


def write_network(folder: Path, architecture: str, half: bool = False) -> Path:
    """Export a network with random weights and its manifest; returns the manifest."""
    torch.manual_seed(4)
    network = ARCHITECTURES[architecture].build(3).eval()
    model = onnx_of(network, 224)
    model = with_f16_weights(model) if half else model
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{architecture}.onnx"
    path.write_bytes(model.SerializeToString())
    result = {
        "architecture": architecture,
        "date": "",
        "input": {"width": 224, "height": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        "classes": 3,
        "training": {},
        "accuracy": [],
    }
    table = manifest(
        name=architecture,
        model=path,
        precision="f32",
        result=result,
        class_hash="",
        feature_map=feature_map_of(model),
        head=head_of(model),
    )
    path.with_suffix(".toml").write_text(to_toml(table))
    return path.with_suffix(".toml")


def plan_text(estimator: str, coalitions: list[list[int]], seed: int = 5) -> str:
    rows = ["".join(map(str, row)) for row in coalitions]
    weights = [1e6, 1e6] + [1.0] * (len(rows) - 2)
    plan = attribution.Plan(7, 7, 224, tuple(map(tuple, coalitions)), tuple(weights), (0, 0, 0), 0, "logit", seed)
    return json.dumps(
        {
            "schema": 1,
            "estimator": estimator,
            "segments": {"kind": "grid", "rows": 7, "columns": 7},
            "coalitions": rows,
            "weights": weights,
            "seed": seed,
            "hash": plan.hash,
        }
    )


def chains(orders: int) -> list[list[int]]:
    rng = np.random.default_rng(1)
    rows = [[1] * 49, [0] * 49]
    for _ in range(orders):
        forward = rng.permutation(49)
        for order in (forward, forward[::-1]):
            row = [0] * 49
            for player in order[:-1]:
                row[player] = 1
                rows.append(list(row))
    return rows


@pytest.mark.parametrize("architecture", ["resnet-micro", "convnext-micro"])
@pytest.mark.parametrize("half", [False, True])
def test_both_back_ends_agree_with_each_other(tmp_path, architecture, half):
    what = described(write_network(tmp_path, architecture, half))
    torch_network, ort = TorchNetwork(what, torch.device("cpu"), 16), OrtNetwork(what, 1)
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    (logits, features), (other, others) = torch_network.predict(image), ort.predict(image)
    span = other.max() - other.min()
    assert np.abs(logits - other).max() < 1e-4 * span
    assert np.abs(features - others).max() < 1e-4 * np.abs(others).max()
    for output in attribution.OUTPUTS:
        cam, closed = torch_network.gradcam(image, 1, output), ort.gradcam(image, 1, output)
        assert np.abs(cam - closed).max() < 1e-4 * np.abs(closed).max(), output
    baseline = torch.zeros_like(image)
    plan, _ = reference.plan_from(plan_text("permutation", chains(1)))
    values, found = torch_network.values(image, baseline, plan), ort.values(image, baseline, plan)
    assert np.abs(values - found).max() < 1e-4 * np.abs(found).max()


@pytest.mark.parametrize("architecture", ["resnet-micro", "convnext-micro"])
def test_a_quantized_file_is_explained_with_its_own_weights(architecture):
    golden = ROOT / "tests" / "golden"
    exact = OrtNetwork(described(golden / "desktop" / f"{architecture}.toml"), 1)
    quantized = OrtNetwork(described(golden / "calibration" / f"{architecture}-int8.toml"), 1)
    picture = np.asarray(Image.open(golden / "desktop" / "picture-224x224.png").convert("RGB"))
    image = normalized(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None])
    a, b = exact.weights["weight"], quantized.weights["weight"]
    assert a.shape == b.shape and not np.array_equal(a, b)
    # 7 bits a channel: 3e-3 of the power is 25 dB
    assert ((a - b) ** 2).sum() < 3e-3 * (a**2).sum()
    if "norm_weight" not in quantized.weights:
        # a linear head on the mean: the cells of the map sum to the logit without its bias, which both networks share
        differences = [n.gradcam(image, 1, "logit").sum() - n.predict(image)[0][1] for n in (exact, quantized)]
        assert abs(differences[0] - differences[1]) < 0.02 * np.abs(exact.predict(image)[0]).max()


def test_every_image_gets_a_row_with_both_maps(tmp_path, capsys):
    write_set(tmp_path / "CF", size=224, per_class=2)
    model = write_network(tmp_path / "net", "resnet-micro")
    (tmp_path / "plan.json").write_text(plan_text("permutation", chains(2)))
    command = ["reference", "--model", str(model), "--data", str(tmp_path / "CF"), "--per-class", "1"]
    command += ["--attribute", "gradcam,kernel-shap", "--plan", str(tmp_path / "plan.json")]
    assert main([*command, "--out", str(tmp_path / "a")]) == 0
    assert "3 images" in capsys.readouterr().out
    assert main([*command, "--out", str(tmp_path / "b"), "--backend", "onnxruntime"]) == 0
    runs = []
    for run in "ab":
        with sqlite3.connect(tmp_path / run / run_store.FILE_NAME) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (2,)
            rows = "SELECT class, class_index, method, map, pixel_ratio, undefined"
            rows += " FROM frame JOIN attribution USING (position)"
            runs.append(db.execute(rows + " ORDER BY position, method").fetchall())
            assert db.execute("SELECT avg(mask_share) FROM frame").fetchone()[0] == pytest.approx(0.25, abs=0.01)
    assert [r[:3] for r in runs[0]] == [(c, 0, m) for c in range(3) for m in reference.METHODS]
    for first, second in zip(*runs, strict=True):
        maps = [np.frombuffer(r[3], "<f4") for r in (first, second)]
        assert maps[0].shape == (49,)
        assert np.abs(maps[0] - maps[1]).max() < 1e-3 * np.abs(maps[1]).max()
        assert (first[4] is None) == (first[5] is not None)
    assert main([*command, "--out", str(tmp_path / "a")]) == 2
    assert "already holds a run" in capsys.readouterr().err


def test_plans_of_a_run_are_dealt_to_frames_as_the_device_does(tmp_path):
    texts = [plan_text("permutation", chains(1), seed) for seed in range(5, 37)]
    plans = [reference.plan_from(text)[0] for text in texts]
    many = reference.Choice(("kernel-shap",), "logit", "true", "zero", "exact", "permutation", tuple(plans))
    store = run_store.RunStore(tmp_path / "device", {"hash.plan": many.plan_hash, "set.shap.plans": 32})
    for plan, text in zip(reversed(plans), reversed(texts), strict=True):
        store.add_plan(plan.hash + str(plan.seed), text.encode())
    store.close()
    arguments = argparse.Namespace(attribute="kernel-shap", plan=tmp_path / "device", output=None, solver="exact")
    choice, found = reference.choice_of(arguments)
    assert found == texts
    # the numbers of harness/src/attribution/plans.rs
    dealt = [choice.plan_of_frame(at).seed - 5 for at in (0, 1, 2, 3, 8, 16, 81, 82, 819)]
    assert dealt == [28, 13, 0, 31, 7, 15, 8, 7, 22]
    with sqlite3.connect(tmp_path / "device" / run_store.FILE_NAME) as db:
        db.execute("DELETE FROM plan WHERE hash LIKE '%7'")
    with pytest.raises(ValueError, match="expected plans of hash"):
        reference.choice_of(arguments)


def device_run(folder: Path, estimator: str, texts: list[str], **told: object) -> reference.Choice:
    """Write the store of a device that dealt these plans; returns what is computed along them."""
    plans = tuple(reference.plan_from(text)[0] for text in texts)
    choice = reference.Choice(("kernel-shap",), "logit", "predicted", "zero", "exact", estimator, plans)
    settings = {"hash.plan": choice.plan_hash, "set.shap.plans": len(plans)} | told
    store = run_store.RunStore(folder, settings)
    for plan, text in zip(plans, texts, strict=True):
        store.add_plan(plan.hash, text.encode())
    store.close()
    return choice


def settings_of(run: Path) -> dict[str, object]:
    with sqlite3.connect(run / run_store.FILE_NAME) as db:
        return {name: json.loads(value) for name, value in db.execute("SELECT * FROM setting")}


def test_a_frame_gets_the_plan_of_its_place_on_the_device_not_on_the_disk(tmp_path):
    model = write_network(tmp_path / "net", "resnet-micro")
    images = open_set(write_set(tmp_path / "CF", size=224, per_class=2))
    # of all lengths, so that the evaluations of a frame tell its plan
    ends, singles = [[1] * 49, [0] * 49], np.eye(49, dtype=int).tolist()
    texts = [plan_text("captum", ends + singles[: 1 + at], seed=5 + at) for at in range(16)]
    choice = device_run(tmp_path / "device", "captum", texts)
    command = ["reference", "--model", str(model), "--data", str(tmp_path / "CF"), "--attribute", "kernel-shap"]
    assert main([*command, "--plan", str(tmp_path / "device"), "--frames", "4", "--out", str(tmp_path / "run")]) == 0
    with sqlite3.connect(tmp_path / "run" / run_store.FILE_NAME) as db:
        rows = "SELECT position, class, class_index, evaluations FROM frame JOIN attribution USING (position)"
        found = sorted(db.execute(rows))
    order = device_order(images.labels, images.indices)

    def dealt(place_of):
        rows = [(at, int(images.labels[at]), int(images.indices[at])) for at in order[:4]]
        return sorted((*row, len(choice.plan_of_frame(place_of(row[0])).coalitions)) for row in rows)

    assert found == dealt(order.index)
    assert found != dealt(lambda position: position), "both places lead to the same plans: this tests nothing"
    told = settings_of(tmp_path / "run")
    assert told["hash.plan"] == choice.plan_hash
    # what a study holds against its method
    names = ("baseline", "estimator", "grid.rows", "grid.columns", "output", "plans", "precision", "seed")
    expected = ["zero", "captum", 7, 7, "logit", 16, None, 5]
    assert [told[f"set.shap.{name}"] for name in names] == expected
    assert (told["set.target"], told["set.upsampling"]) == ("predicted", "nearest")


def test_the_store_tells_the_whole_name_of_the_data_set(tmp_path):
    model = write_network(tmp_path / "net", "resnet-micro")
    folder = write_set(tmp_path / "CF", size=224, per_class=2)
    command = ["reference", "--model", str(model), "--data", str(folder), "--frames", "1"]
    assert main([*command, "--out", str(tmp_path / "plain")]) == 0
    # as `roadgaze render` writes it, options in the order of datasets/src/sets/spec.rs
    name = "synthetic:CF/train?per_class=2&strength=0.25&corner_case=fog:3"
    description = folder / "dataset.toml"
    description.write_text(f'layout = 1\nname = "{name}"\nstrength = 0.25\n{description.read_text()}')
    assert main([*command, "--out", str(tmp_path / "dose")]) == 0
    for run, expected in (("plain", "CF/train"), ("dose", name)):
        told = settings_of(tmp_path / run)
        assert (told["data.name"], told["set.data"]) == (expected, expected)


@pytest.mark.parametrize(
    "told", [{"set.shap.baseline": "#7c7468"}, {"set.shap.baseline.colour": [0x7C, 0x74, 0x68]}], ids=["now", "older"]
)
def test_a_colour_is_the_baseline_that_the_run_on_the_device_had(tmp_path, told):
    device_run(tmp_path / "device", "permutation", [plan_text("permutation", chains(1))], **told)
    arguments = argparse.Namespace(attribute="kernel-shap", plan=tmp_path / "device", output=None, solver="exact")
    choice, _ = reference.choice_of(arguments)
    assert choice.baseline == "#7c7468"
    what = described(write_network(tmp_path, "resnet-micro"))
    baseline = reference.baseline_tensor(choice.baseline, np.zeros((224, 224, 3), np.uint8), what)
    colour = torch.tensor([0x7C, 0x74, 0x68], dtype=torch.uint8).view(1, 3, 1, 1)
    assert torch.equal(baseline, what.normalized(colour).expand(1, 3, 224, 224))
    with pytest.raises(ValueError, match="baseline blur:8: expected zero, mean-colour or #RRGGBB"):
        reference.baseline_tensor("blur:8", np.zeros((224, 224, 3), np.uint8), what)


def test_captum_fits_the_plan_of_a_regression(tmp_path):
    what = described(write_network(tmp_path, "resnet-micro"))
    network = TorchNetwork(what, torch.device("cpu"), 16)
    plan = attribution.kernel_plan(evaluations=160, target=1, output="logit", seed=2, baseline=(0, 0, 0))
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    baseline = torch.zeros_like(image)
    fitted = network.captum_shap(image, baseline, plan)
    exact = attribution.exact_solution(plan, network.values(image, baseline, plan))
    assert np.abs(fitted - exact).max() < 2e-3 * np.abs(exact).max()


def test_permutations_have_known_answers():
    plan, estimator = reference.plan_from(plan_text("permutation", chains(3)))
    worth = np.arange(49) - 20.0
    values = np.array(plan.coalitions) @ worth + 3.0
    assert estimator == "permutation"
    assert reference.permutation_solution(plan, values) == pytest.approx(worth)


def test_the_tables_are_those_of_the_device():
    source = ROOT / "harness/src/store/write.rs"
    if not source.is_file():
        pytest.skip("the Rust sources are not here")
    stated = re.search(r'const TABLES: &str = "\n(.*?)";', source.read_text(), re.DOTALL)[1]
    assert run_store.TABLES.split() == stated.split()
    version = re.search(r"SCHEMA: i64 = (\d+)", (ROOT / "harness/src/store/mod.rs").read_text())[1]
    assert int(version) == run_store.SCHEMA


def test_what_does_not_fit_is_named(tmp_path, capsys):
    model = write_network(tmp_path / "net", "resnet-micro")
    write_set(tmp_path / "CF", size=64, per_class=2)
    command = ["reference", "--model", str(model), "--data", str(tmp_path / "CF")]
    assert main([*command, "--out", str(tmp_path / "x")]) == 2
    assert "pictures of 64 pixels, the network takes 224" in capsys.readouterr().err
    assert main([*command, "--attribute", "kernel-shap", "--out", str(tmp_path / "y")]) == 2
    assert "expected a --plan" in capsys.readouterr().err
    text = plan_text("captum", chains(1))
    with pytest.raises(ValueError, match="were changed"):
        reference.plan_from(text.replace('"1', '"0', 1))
