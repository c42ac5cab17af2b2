"""The networks: the paper's three, one tiny ResNet for slow machines, and two micro ones for tests.

All of them end in global average pooling and a linear head (ConvNeXt: with a layer norm between), which is
what makes GradCAM on the last feature map a closed form. All stride to 1/32: 224 pixels give a 7 x 7 map.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn
from torchvision.models import convnext_small, convnext_tiny, resnet50
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.resnet import Bottleneck, ResNet

CLASSES = 82


class NarrowResNet(ResNet):
    """A ResNet of bottleneck blocks (v1.5: stride on the 3 x 3) with free widths and depths.

    Parameter names are torchvision's, so everything that reads a ResNet50 reads this too.
    """

    def __init__(self, stem: int, planes: tuple[int, ...], blocks: tuple[int, ...], num_classes: int):
        nn.Module.__init__(self)  # ResNet's own constructor fixes the widths
        self._norm_layer = nn.BatchNorm2d
        self.inplanes = stem
        self.dilation = 1
        self.groups = 1
        self.base_width = 64
        self.conv1 = nn.Conv2d(3, stem, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(Bottleneck, planes[0], blocks[0])
        self.layer2 = self._make_layer(Bottleneck, planes[1], blocks[1], stride=2)
        self.layer3 = self._make_layer(Bottleneck, planes[2], blocks[2], stride=2)
        self.layer4 = self._make_layer(Bottleneck, planes[3], blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(planes[3] * Bottleneck.expansion, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _narrow_convnext(dims: tuple[int, int, int, int], depths: tuple[int, ...], num_classes: int) -> ConvNeXt:
    outputs = (*dims[1:], None)
    blocks = [CNBlockConfig(d, o, n) for d, o, n in zip(dims, outputs, depths, strict=True)]
    # a layer scale of 1e-6 would make the blocks of an untrained test network invisible
    return ConvNeXt(blocks, stochastic_depth_prob=0.0, layer_scale=0.1, num_classes=num_classes)


@dataclass(frozen=True)
class Architecture:
    """How to build one network, and where its attribution hooks in."""

    name: str
    family: str
    """`resnet` or `convnext`."""
    build: Callable[[int], nn.Module]
    """From the number of classes to the network, weights initialised from torch's global generator."""

    def feature_layer(self, network: nn.Module) -> nn.Module:
        """Module whose output is the last feature map, N C 7 7 for 224 pixels."""
        return network.layer4 if self.family == "resnet" else network.features

    def head(self, network: nn.Module) -> nn.Linear:
        """The linear layer that gives the logits."""
        return network.fc if self.family == "resnet" else network.classifier[2]


def _build_resnet50(num_classes: int) -> nn.Module:
    return resnet50(num_classes=num_classes, zero_init_residual=True)


def _build_convnext(constructor: Callable[..., nn.Module], drop: float, num_classes: int) -> nn.Module:
    return constructor(num_classes=num_classes, stochastic_depth_prob=drop)


ARCHITECTURES: dict[str, Architecture] = {
    a.name: a
    for a in (
        Architecture("resnet50", "resnet", _build_resnet50),
        Architecture("convnext-tiny", "convnext", partial(_build_convnext, convnext_tiny, 0.1)),
        Architecture("convnext-small", "convnext", partial(_build_convnext, convnext_small, 0.2)),
        Architecture("resnet-tiny", "resnet", partial(NarrowResNet, 16, (16, 32, 64, 128), (1, 1, 2, 1))),
        Architecture("resnet-micro", "resnet", partial(NarrowResNet, 8, (8, 8, 16, 16), (1, 1, 1, 1))),
        Architecture("convnext-micro", "convnext", partial(_narrow_convnext, (8, 16, 24, 32), (1, 1, 1, 1))),
    )
}


def architecture(name: str) -> Architecture:
    """Look an architecture up by name; a `ValueError` lists the names there are."""
    try:
        return ARCHITECTURES[name]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise ValueError(f"architecture `{name}`: unknown; expected one of {known}") from None


def parameters(network: nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
