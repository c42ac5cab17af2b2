"""ConvNeXt-Tiny on a rendered set."""

_base_ = ["common.py"]

model = dict(
    type="ImageClassifier",
    backbone=dict(type="ConvNeXt", arch="tiny", drop_path_rate=0.1),
    head=dict(type="LinearClsHead", num_classes=82, in_channels=768, loss=dict(type="CrossEntropyLoss")),
)
