"""A network that was exported comes back as a checkpoint that computes the same, and goes on learning."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from roadgaze_desktop.architectures import ARCHITECTURES
from roadgaze_desktop.checkpoints import load_into
from roadgaze_desktop.export import onnx_of
from roadgaze_desktop.folded import renew_norms
from roadgaze_desktop.presets import PRESETS


@pytest.fixture
def lived():
    """A micro ResNet whose norms have statistics of their own."""
    torch.manual_seed(5)
    kind = ARCHITECTURES["resnet-micro"]
    network = kind.build(82).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, 3, 64, 64) + 0.3)
    return kind, network.eval()


@pytest.fixture
def again(lived, tmp_path):
    """The same network, exported and loaded."""
    kind, network = lived
    path = tmp_path / "network.onnx"
    onnx.save(onnx_of(network, 64), path)
    loaded = kind.build(82)
    load_into(loaded, kind, path)
    return loaded


def test_the_checkpoint_computes_what_the_export_computes(lived, again):
    _, network = lived
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        expected, found = network(images), again.eval()(images)
    assert (expected - found).abs().max() < 1e-4 * (expected.max() - expected.min())


def test_integer_weights_come_back_by_scale_and_zero_point(lived, tmp_path):
    kind, network = lived
    model = onnx_of(network, 64)
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    weight = stored["conv1.weight"]
    scale = abs(weight).reshape(len(weight), -1).max(axis=1) / 63
    codes = (weight / scale.reshape(-1, 1, 1, 1)).round().astype("int8")
    kept = [t for t in model.graph.initializer if t.name != "conv1.weight"]
    del model.graph.initializer[:]
    zero = (0 * scale).astype("int8")
    for name, value in (("quantized", codes), ("scale", scale), ("zero_point", zero)):
        kept.append(numpy_helper.from_array(value, f"conv1.weight_{name}"))
    model.graph.initializer.extend(kept)
    path = tmp_path / "integers.onnx"
    path.write_bytes(model.SerializeToString())
    again = kind.build(82)
    load_into(again, kind, path)
    error = abs(again.conv1.weight.detach().numpy() - weight).reshape(len(weight), -1).max(axis=1)
    assert (error <= 0.5001 * scale).all() and error.max() > 0


def test_another_family_and_a_file_of_neither_are_refused(tmp_path):
    convnext, resnet = ARCHITECTURES["convnext-micro"], ARCHITECTURES["resnet-micro"]
    path = tmp_path / "other.onnx"
    onnx.save(onnx_of(convnext.build(82).eval(), 64), path)
    with pytest.raises(ValueError, match="does not fit resnet-micro"):
        load_into(resnet.build(82), resnet, path)
    onnx.save(onnx_of(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 2)), 64), path)
    with pytest.raises(ValueError, match="expected a ResNet with folded norms"):
        load_into(resnet.build(82), resnet, path)


def test_renewed_norms_compute_the_same_and_see_their_own_statistics(again):
    images = torch.randn(8, 3, 64, 64) + 0.3
    with torch.no_grad():
        expected = again.eval()(images)
        renew_norms(again, images)
        found = again.eval()(images)
        # the batch that was measured has the statistics that were measured (its variance with n, not n - 1)
        moving = again.train()(images)
    span = expected.max() - expected.min()
    assert (expected - found).abs().max() < 1e-4 * span
    assert (expected - moving).abs().max() < 2e-2 * span


def test_the_preset_that_goes_on_keeps_statistics_fixed(lived):
    _, network = lived
    assert PRESETS["cpu-tune"].fixed_norms
    assert any(isinstance(m, nn.BatchNorm2d) for m in network.modules())


def test_a_convnext_comes_back_from_its_export(tmp_path):
    torch.manual_seed(6)
    kind = ARCHITECTURES["convnext-micro"]
    network = kind.build(82).eval()
    for parameter in network.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    path = tmp_path / "network.onnx"
    onnx.save(onnx_of(network, 64), path)
    loaded = kind.build(82)
    load_into(loaded, kind, path)
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        expected, found = network(images), loaded.eval()(images)
    assert (expected - found).abs().max() < 1e-4 * (expected.max() - expected.min())


def test_a_convnext_of_the_zoo_comes_back_from_integers():
    """Its streams were divided and its layer scales folded; what is left is what integers do to activations."""
    path = Path(__file__).parents[2] / "zoo" / "convnext-tiny-cf.onnx"
    kind = ARCHITECTURES["convnext-tiny"]
    network = kind.build(82)
    load_into(network, kind, path)
    coarse = torch.rand(1, 3, 7, 7, generator=torch.Generator().manual_seed(8)) * 4 - 2
    image = nn.functional.interpolate(coarse, 224, mode="bicubic")
    with torch.no_grad():
        found = network.eval()(image)[0].numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(["logits"], {"input": image.numpy()})[0][0]
    assert np.corrcoef(expected, found)[0, 1] > 0.98
    scales = network.features[5][4].layer_scale
    assert scales.shape == (384, 1, 1)
    rows = network.features[5][4].block[5].weight.square().mean(1).sqrt()
    assert (rows - 0.05).abs().max() < 1e-3
