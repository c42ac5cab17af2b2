"""Files of `roadgaze calibrate`: valid ONNX, the same answers in ONNX Runtime, and ONNX Runtime's own beside them."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from pictures import write_set
from PIL import Image

from roadgaze_desktop import attribution, quantization
from roadgaze_desktop.__main__ import main
from roadgaze_desktop.architectures import architecture
from roadgaze_desktop.data import open_set
from roadgaze_desktop.export import onnx_of
from roadgaze_desktop.graph import constant, head_of

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"
FAMILIES = ("resnet-micro", "convnext-micro")
SAME_ARITHMETIC = 0.02
"""Largest difference of a logit, in units of the largest: a code on the other side of a tie."""


def calibrated(name: str) -> Path:
    return GOLDEN / "calibration" / f"{name}-int8.onnx"


def logits_of(path: Path, level: onnxruntime.GraphOptimizationLevel) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    picture = np.asarray(Image.open(GOLDEN / "desktop" / "picture-224x224.png").convert("RGB"))
    return session.run(None, {session.get_inputs()[0].name: quantization.tensor_of(picture)})[0][0]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_file_is_valid_onnx_of_the_promised_form(name):
    model = onnx.load(calibrated(name))
    onnx.checker.check_model(model, full_check=True)
    assert max(o.version for o in model.opset_import) <= 17
    assert {o.domain for o in model.opset_import} <= {"", "ai.onnx"}
    stored = {t.name: t for t in model.graph.initializer}
    made_by = {o: n for n in model.graph.node for o in n.output}
    layers = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm", "MatMul")]
    assert layers
    for node in layers:
        activation, weight = made_by[node.input[0]], made_by[node.input[1]]
        assert activation.op_type == weight.op_type == "DequantizeLinear"
        codes = onnx.numpy_helper.to_array(stored[weight.input[0]])
        scales = onnx.numpy_helper.to_array(stored[weight.input[1]])
        zeros = onnx.numpy_helper.to_array(stored[weight.input[2]])
        assert codes.dtype == zeros.dtype == np.int8 and not zeros.any()
        assert scales.ndim == 1 and np.abs(codes.astype(int)).max() <= 63, "7 bits, a scale for each channel"
        if len(node.input) > 2:
            bias = made_by[node.input[2]]
            assert onnx.numpy_helper.to_array(stored[bias.input[0]]).dtype == np.int32
            step = onnx.numpy_helper.to_array(stored[activation.input[1]]) * scales
            np.testing.assert_allclose(onnx.numpy_helper.to_array(stored[bias.input[1]]), step, rtol=1e-6)
        zero = onnx.numpy_helper.to_array(stored[activation.input[2]])
        assert zero.dtype == np.uint8 and zero.ndim == 0


@pytest.mark.parametrize("name", FAMILIES)
def test_onnx_runtime_answers_as_our_simulation(name):
    golden = json.loads(calibrated(name).with_suffix(".json").read_text())
    expected = np.array(golden["logits"])
    level = onnxruntime.GraphOptimizationLevel
    for chosen in (level.ORT_DISABLE_ALL, level.ORT_ENABLE_ALL):
        found = logits_of(calibrated(name), chosen)
        assert found.argmax() == golden["best"] == expected.argmax()
        assert np.abs(found - expected).max() < SAME_ARITHMETIC * np.abs(expected).max()


@pytest.mark.parametrize("name", FAMILIES)
def test_onnx_runtime_runs_every_layer_on_integers(name, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(calibrated(name)), options, providers=["CPUExecutionProvider"])
    kinds = Counter(n.op_type for n in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert not kinds.keys() & {"Conv", "Gemm", "MatMul", "GlobalAveragePool", "MaxPool"}, kinds
    assert kinds["QLinearAdd"] == 4


@pytest.mark.parametrize("family", ["resnet", "convnext"])
def test_closed_form_is_captums_gradcam(family):
    torch.manual_seed(3)
    kind = architecture(f"{family}-micro")
    network = kind.build(5).eval()
    image = torch.randn(1, 3, 64, 64)
    model = onnx_of(network, 64)
    head = head_of(model)
    features = []
    handle = kind.feature_layer(network).register_forward_hook(lambda *args: features.append(args[2]))
    network(image)
    handle.remove()
    norm = None
    if "norm_weight" in head:
        norm = (constant(model, head["norm_weight"]), head["eps"])
    row = constant(model, head["weight"])[2]
    found = quantization._closed_form(features[0][0].detach().numpy().astype(np.float64), row, norm)
    expected = attribution.gradcam(network, kind, image, 2, "logit").detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_dequantized_weights_are_found_behind_their_nodes():
    model = onnx.load(calibrated("resnet-micro"))
    exact = onnx.load(GOLDEN / "desktop" / "resnet-micro.onnx")
    for name in ("fc.weight", "layer1.0.conv2.weight"):
        a, b = constant(exact, name), quantization.constant(model, name)
        assert a.shape == b.shape
        assert ((a - b) ** 2).sum() < 3e-3 * (a**2).sum(), name
    with pytest.raises(ValueError, match=r"expected a weight `fc\.wait`, found none"):
        constant(model, "fc.wait")


def test_both_quantizations_stand_side_by_side(tmp_path, capsys):
    # labels 0 1 2 mean nothing to this network; answers are compared with those of the f32 file
    data = write_set(tmp_path / "CF", size=224, per_class=2)
    ours = tmp_path / "ours.onnx"
    ours.write_bytes(calibrated("resnet-micro").read_bytes())
    seen = [p for _, p, _ in quantization.pictures(open_set(data))]
    rows = [{"sha256": hashlib.sha256(p.tobytes()).hexdigest()[:16]} for p in seen[:4]]
    report = tmp_path / "ours.calibration.json"
    report.write_text(json.dumps({"data": {"pictures": rows}}))
    manifest = GOLDEN / "desktop" / "resnet-micro.toml"
    command = ["quantization", str(manifest), "--ours", str(ours), "--calibration", str(data), "--check", str(data)]
    out = tmp_path / "result.json"
    assert main([*command, "--images", "4", "--count", "6", "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["pictures"] == 6 and result["networks"].keys() == {"f32", "roadgaze", "onnxruntime"}
    assert result["networks"]["f32"]["ratio_change"]["mean"] == 0
    for name in ("roadgaze", "onnxruntime"):
        row = result["networks"][name]
        assert 0 < abs(row["ratio_change"]["mean"]) < 0.1, row
    assert "onnxruntime" in capsys.readouterr().out
    # other pictures than those of the report
    assert main([*command, "--images", "5"]) == 2
    assert "render the set that was calibrated with" in capsys.readouterr().err
