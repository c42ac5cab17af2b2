"""ResNet50 v1.5 on a rendered set."""

_base_ = ["common.py"]

model = dict(
    type="ImageClassifier",
    backbone=dict(type="ResNet", depth=50, style="pytorch"),
    neck=dict(type="GlobalAveragePooling"),
    head=dict(type="LinearClsHead", num_classes=82, in_channels=2048, loss=dict(type="CrossEntropyLoss")),
)
