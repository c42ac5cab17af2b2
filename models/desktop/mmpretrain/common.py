"""What both networks share: data, augmentation without flips, schedule. 82 classes, 224 pixels."""

data_preprocessor = dict(
    type="ClsDataPreprocessor",
    num_classes=82,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
_colour = dict(type="ColorJitter", brightness=0.2, contrast=0.2, saturation=0.2)
_crop = dict(type="RandomResizedCrop", scale=224, crop_ratio_range=(0.75, 1.0), aspect_ratio_range=(0.95, 1.05))
train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    dataset=dict(
        type="CustomDataset",
        data_root="{{$DATA:data/CF}}/train",
        ann_file="annotations.txt",
        pipeline=[dict(type="LoadImageFromFile"), _crop, _colour, dict(type="PackInputs")],
    ),
    sampler=dict(type="DefaultSampler", shuffle=True),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=8,
    dataset=dict(
        type="CustomDataset",
        data_root="{{$DATA:data/CF}}/test",
        ann_file="annotations.txt",
        pipeline=[dict(type="LoadImageFromFile"), dict(type="PackInputs")],
    ),
    sampler=dict(type="DefaultSampler", shuffle=False),
)
val_dataloader = test_dataloader
test_evaluator = dict(type="Accuracy", topk=1)
val_evaluator = test_evaluator

optim_wrapper = dict(
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05),
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-3, by_epoch=True, end=5, convert_to_iter_based=True),
    dict(type="CosineAnnealingLR", by_epoch=True, begin=5, end=100, convert_to_iter_based=True),
]
train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=5)
val_cfg = dict()
test_cfg = dict()

default_scope = "mmpretrain"
default_hooks = dict(checkpoint=dict(type="CheckpointHook", interval=5, max_keep_ckpts=2))
randomness = dict(seed=1, deterministic=False)
