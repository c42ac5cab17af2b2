"""Weights of timm and MMPreTrain: written by those libraries, loaded by us, equal in what they compute."""

import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from roadgaze_desktop.architectures import ARCHITECTURES
from roadgaze_desktop.checkpoints import load_into, origin_of

MMPRETRAIN_PYTHON = "ROADGAZE_MMPRETRAIN_PYTHON"
NAMES = {"resnet50": "resnet50", "convnext-tiny": "convnext_tiny"}


def check(path, name, foreign_logits, image, origin, trust=False):
    kind = ARCHITECTURES[name]
    network = kind.build(82)
    assert load_into(network, kind, path, trust) == origin
    with torch.no_grad():
        ours = network.eval()(image)
    assert (ours - foreign_logits).abs().max() < 1e-4 * (foreign_logits.max() - foreign_logits.min())


@pytest.mark.parametrize("name", NAMES)
def test_timm_checkpoints_compute_the_same(tmp_path, name):
    timm = pytest.importorskip("timm", reason="timm is not installed: pip install '.[imports]'")
    torch.manual_seed(1)
    foreign = timm.create_model(NAMES[name], num_classes=82).eval()
    for parameter in foreign.parameters():
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    torch.save({"state_dict": foreign.state_dict()}, tmp_path / "timm.pth")
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        logits = foreign(image)
    check(tmp_path / "timm.pth", name, logits, image, "timm" if "convnext" in name else "torchvision")


# runs in the interpreter that has MMPreTrain, which need not be ours
WRITE = """
import sys, torch
from mmengine.runner import save_checkpoint
from mmpretrain.models import build_classifier
name, out = sys.argv[1:]
backbone, neck, width = {
    "resnet50": (dict(type="ResNet", depth=50), dict(type="GlobalAveragePooling"), 2048),
    "convnext-tiny": (dict(type="ConvNeXt", arch="tiny"), None, 768),
}[name]
torch.manual_seed(2)
head = dict(type="LinearClsHead", num_classes=82, in_channels=width)
network = build_classifier(dict(type="ImageClassifier", backbone=backbone, neck=neck, head=head)).eval()
for parameter in network.parameters():
    parameter.data.add_(0.02 * torch.randn_like(parameter))
save_checkpoint({"state_dict": network.state_dict(), "meta": {"epoch": 1}}, out + "/mm.pth")
image = torch.randn(1, 3, 64, 64)
with torch.no_grad():
    torch.save((image, network(image)), out + "/logits.pt")
"""


@pytest.mark.parametrize("name", NAMES)
def test_mmpretrain_checkpoints_compute_the_same(tmp_path, name):
    python = os.environ.get(MMPRETRAIN_PYTHON)
    if python is None:
        if importlib.util.find_spec("mmengine") is None:
            pytest.skip(f"mmpretrain is not installed; name an interpreter that has it in {MMPRETRAIN_PYTHON}")
        python = sys.executable
    subprocess.run([python, "-W", "ignore", "-c", WRITE, name, str(tmp_path)], check=True, capture_output=True)
    image, logits = torch.load(tmp_path / "logits.pt")
    check(tmp_path / "mm.pth", name, logits, image, "mmpretrain", trust=True)


def test_checkpoints_that_do_not_fit_are_refused_whole(tmp_path):
    micro, tiny = ARCHITECTURES["resnet-micro"], ARCHITECTURES["resnet-tiny"]
    torch.save(micro.build(82).state_dict(), tmp_path / "micro.pth")
    network = tiny.build(82)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with pytest.raises(ValueError, match="does not fit resnet-tiny"):
        load_into(network, tiny, tmp_path / "micro.pth")
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(ValueError, match="no tensors"):
        load_into(network, tiny, tmp_path / "empty.pth")


class Surprise:
    """An object of a class that a safe reader does not know."""


def test_pickles_need_trust(tmp_path):
    kind = ARCHITECTURES["resnet-micro"]
    content = {"state_dict": kind.build(82).state_dict(), "hook": Surprise()}
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(ValueError, match="--trust"):
        load_into(kind.build(82), kind, tmp_path / "odd.pth")
    assert load_into(kind.build(82), kind, tmp_path / "odd.pth", trust=True) == "torchvision"


def test_origins_are_told_apart():
    assert origin_of({"backbone.conv1.weight": None}) == "mmpretrain"
    assert origin_of({"stages.0.blocks.0.gamma": None}) == "timm"
    assert origin_of({"features.0.0.weight": None}) == "torchvision"
