"""A deeper ConvNeXt begins where the shallower one stands."""

import pytest
import torch

from roadgaze_desktop.architectures import ARCHITECTURES, Architecture, _narrow_convnext
from roadgaze_desktop.checkpoints import load_into
from roadgaze_desktop.depthwise import in_f32
from roadgaze_desktop.grown import sources

SHALLOW = ARCHITECTURES["convnext-micro"]
DEEP = Architecture("deep", "convnext", lambda n: _narrow_convnext((8, 16, 24, 32), (1, 1, 3, 1), n))


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(3)
    network = SHALLOW.build(82).eval()
    for parameter in network.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    path = tmp_path / "shallow.pt"
    torch.save({"model": network.state_dict()}, path)
    return network, path


def test_each_block_becomes_equally_many():
    assert sources(9, 27) == [k // 3 for k in range(27)]
    assert sources(3, 3) == [0, 1, 2]
    assert sources(2, 3) == [0, 0, 1]
    with pytest.raises(ValueError, match="cannot grow"):
        sources(3, 2)


def test_the_deeper_network_computes_nearly_the_same_before_it_learns(saved):
    shallow, path = saved
    deep = DEEP.build(82)
    load_into(deep, DEEP, path, deepen=True)
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, found = shallow(image), deep.eval()(image)
    assert 1e-6 < (expected - found).abs().max() < 0.05 * (expected.max() - expected.min())


def test_its_steps_are_a_third_of_the_block_they_come_from(saved):
    shallow, path = saved
    deep = DEEP.build(82)
    load_into(deep, DEEP, path, deepen=True)
    for block in deep.features[5]:
        assert torch.allclose(block.layer_scale * 3, shallow.features[5][0].layer_scale)
        assert torch.equal(block.block[3].weight, shallow.features[5][0].block[3].weight)
    deep.train()(torch.randn(2, 3, 64, 64)).square().mean().backward()
    first, second = (deep.features[5][k].block[3].weight.grad for k in (0, 1))
    assert not torch.equal(first, second)  # so they part


def test_a_deeper_start_and_another_family_are_refused(saved, tmp_path):
    torch.save({"model": DEEP.build(82).state_dict()}, tmp_path / "deep.pt")
    with pytest.raises(ValueError, match="cannot grow"):
        load_into(SHALLOW.build(82), SHALLOW, tmp_path / "deep.pt", deepen=True)
    resnet = ARCHITECTURES["resnet-micro"]
    torch.save({"model": resnet.build(82).state_dict()}, tmp_path / "resnet.pt")
    with pytest.raises(ValueError, match="expected ConvNeXt"):
        load_into(resnet.build(82), resnet, tmp_path / "resnet.pt", deepen=True)
    with pytest.raises(ValueError, match="does not fit"):
        load_into(DEEP.build(82), DEEP, saved[1])


def test_depthwise_convolutions_leave_bf16_and_keep_their_gradients():
    torch.manual_seed(4)
    network = SHALLOW.build(82).train()
    images = torch.randn(2, 3, 64, 64)
    keys = list(network.state_dict())
    network(images).square().mean().backward()
    exact = network.features[5][0].block[0].weight.grad.clone()
    seen = []
    network.zero_grad()
    in_f32(network)
    network.features[5][0].block[0].register_forward_hook(lambda _m, _i, o: seen.append(o.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        loss = network(images).float().square().mean()
    loss.backward()
    found = network.features[5][0].block[0].weight.grad
    assert seen == [torch.float32]
    assert list(network.state_dict()) == keys
    assert (found - exact).abs().max() < 0.1 * exact.abs().max()
