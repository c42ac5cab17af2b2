"""ONNX and manifest: parity, names, precision."""

import tomllib

import numpy as np
import onnx
import pytest
import torch
from pictures import write_catalogue, write_set

from roadgaze_desktop.__main__ import main
from roadgaze_desktop.architectures import ARCHITECTURES
from roadgaze_desktop.classes import read_catalogue
from roadgaze_desktop.export import onnx_of, parity
from roadgaze_desktop.graph import feature_map_of, head_of, with_f16_weights
from roadgaze_desktop.manifest import sha256_of, to_toml

ALLOWED = {"Conv", "Relu", "MaxPool", "Add", "GlobalAveragePool", "Flatten", "Gemm"}
ALLOWED_CONVNEXT = (ALLOWED - {"Relu", "MaxPool"}) | {
    "Transpose",
    "LayerNormalization",
    "MatMul",
    "Mul",
    "Div",
    "Erf",
}


@pytest.fixture(params=["resnet-micro", "convnext-micro"])
def pair(request):
    torch.manual_seed(3)
    kind = ARCHITECTURES[request.param]
    network = kind.build(82).eval()
    return kind, network, onnx_of(network, 224)


def test_graph_is_plain_and_equal_to_pytorch(pair):
    kind, network, model = pair
    assert {n.op_type for n in model.graph.node} == (ALLOWED if kind.family == "resnet" else ALLOWED_CONVNEXT)
    assert [o.version for o in model.opset_import if not o.domain] == [17]
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 224, 224]
    assert parity(network, model, torch.randn(2, 3, 224, 224)) < 1e-5
    names = [t.name for t in model.graph.initializer]
    assert len(names) == len(set(names)) and not [n for n in names if "::" in n]


def test_export_twice_gives_the_same_bytes(pair):
    _, network, model = pair
    assert onnx_of(network, 224).SerializeToString() == model.SerializeToString()


def test_head_names_lead_to_the_head_weights(pair):
    kind, network, model = pair
    head = head_of(model)
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    assert np.array_equal(stored[head["weight"]], kind.head(network).weight.detach().numpy())
    assert head["kind"] == ("linear" if kind.family == "resnet" else "layernorm-linear")
    if kind.family == "convnext":
        assert head["eps"] == 1e-6
        assert np.array_equal(stored[head["norm_weight"]], network.classifier[0].weight.detach().numpy())


def test_feature_map_is_what_the_hook_sees(pair):
    kind, network, model = pair
    seen = []
    kind.feature_layer(network).register_forward_hook(lambda _m, _i, out: seen.append(out.detach().numpy()))
    tapped = onnx.ModelProto.FromString(model.SerializeToString())
    name = feature_map_of(model)
    tapped.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    import onnxruntime

    x = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        network(x)
    session = onnxruntime.InferenceSession(tapped.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run([name], {"input": x.numpy()})[0]
    assert found.shape[2:] == (7, 7)
    assert np.abs(found - seen[0]).max() < 1e-4


def test_f16_weights_halve_the_file_and_keep_the_logits(pair):
    _, network, model = pair
    half = with_f16_weights(model)
    assert head_of(half) == head_of(model)
    assert parity(network, half, torch.randn(2, 3, 224, 224)) < 1e-2
    big = {t.name for t in model.graph.initializer if np.prod(t.dims) >= 256}
    assert {t.name for t in half.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16} == big


def test_train_then_export_from_the_command_line(tmp_path, capsys):
    write_set(tmp_path / "CF")
    write_set(tmp_path / "UF", name="UF", split="test")
    catalogue = write_catalogue(tmp_path / "catalogue.toml", 82)
    run = ["train", "--architecture", "resnet-micro", "--preset", "smoke", "--train", str(tmp_path / "CF")]
    run += ["--test", str(tmp_path / "UF"), "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert main(run) == 0
    out = ["export", str(tmp_path / "run"), "--name", "micro", "--out", str(tmp_path / "zoo")]
    assert main([*out, "--catalogue", str(catalogue), "--data", str(tmp_path / "UF")]) == 0
    table = tomllib.loads((tmp_path / "zoo" / "micro.toml").read_text())
    assert table["schema"] == 1
    assert table["sha256"] == sha256_of(tmp_path / "zoo" / "micro.onnx")
    assert table["classes"] == {"count": 82, "hash": read_catalogue(catalogue).hash}
    assert table["training"]["set"] == "CF" and table["training"]["start"] == "random"
    row = table["accuracy"][0]
    assert row["set"] == "UF/test" and row["ci95"][0] <= row["top1"] <= row["ci95"][1]
    capsys.readouterr()
    few = write_catalogue(tmp_path / "few.toml", 3)
    assert main([*out, "--catalogue", str(few)]) == 2
    assert "3 classes, the network has 82" in capsys.readouterr().err


def test_toml_keeps_kinds_of_values():
    table = {"a": 1, "b": 0.5, "c": 'ü"', "d": [0.1, 2.0], "t": {"x": True}, "r": [{"n": 1}, {"n": 2}]}
    assert tomllib.loads(to_toml(table)) == table
