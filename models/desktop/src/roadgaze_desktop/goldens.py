"""Small reference files for the tests in Rust: networks, pictures, and what PyTorch and Captum make of them.

Everything is a function of the seed; the versions of the tools are written beside the numbers. Without
`--overwrite` nothing is replaced: the files are made anew and compared.
"""

import argparse
import json
import tempfile
from pathlib import Path

import captum
import numpy as np
import onnx
import onnxruntime
import PIL
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from . import attribution
from .architectures import ARCHITECTURES, Architecture
from .classes import ClassList
from .data import MEAN, STD, normalized
from .export import onnx_of, parity
from .graph import feature_map_of, head_of, with_f16_weights
from .manifest import manifest, to_toml

SEED = 20
CLASSES = 82
EVALUATIONS = 160
PROBES = 9
"""Every ninth pixel, both ways, of a preprocessed picture is kept: the whole would be 600 kB."""
NETWORKS = {"resnet": "resnet-micro", "convnext": "convnext-micro"}


def picture(width: int, height: int) -> Image.Image:
    """Paint a red-rimmed round sign before sky and road, with ramps and edges that a wrong resize would move."""
    across = np.linspace(0, 1, width)[None, :]
    down = np.linspace(0, 1, height)[:, None]
    sky = np.stack([90 + 80 * down + 0 * across, 130 + 70 * down * across, 200 - 60 * down + 20 * across], -1)
    road = np.stack([70 + 30 * across + 0 * down] * 3, -1)
    image = Image.fromarray(np.where((down > 0.7)[..., None], road, sky).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    x, y, r = width * 0.48, height * 0.42, min(width, height) * 0.3
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(200, 24, 30))
    draw.ellipse((x - 0.78 * r, y - 0.78 * r, x + 0.78 * r, y + 0.78 * r), fill=(238, 238, 232))
    draw.rectangle((x - 0.4 * r, y - 0.1 * r, x + 0.45 * r, y + 0.12 * r), fill=(20, 20, 24))
    draw.polygon([(x - 0.3 * r, y + 0.5 * r), (x, y + 0.2 * r), (x + 0.4 * r, y + 0.6 * r)], fill=(20, 20, 24))
    return image


def tensor_of(image: Image.Image) -> Tensor:
    """From a picture to 1 3 H W u8."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]


def resized_in_unit_range(images: Tensor, size: int) -> Tensor:
    """What `bilinear-antialias` in a manifest means: from u8 to f32 0..1, then resampled, not rounded."""
    return nn.functional.interpolate(
        images.float() / 255, size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )


def network_of(kind: Architecture, inputs: Tensor) -> nn.Module:
    """Build a micro network that is far from its initial state: every number, also of the norms, is random.

    The batch norms have seen the picture and shaded copies of it, so that activations neither vanish nor blow up.
    """
    torch.manual_seed(SEED)
    network = kind.build(CLASSES)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim <= 1 or name.endswith("layer_scale"):
                parameter.add_(0.2 * torch.randn_like(parameter))
        kind.head(network).weight.normal_(0, 0.4)
        shades = torch.linspace(0.6, 1.3, 8).view(8, 1, 1, 1)
        network.train()
        for _ in range(40):
            network(inputs * shades)
    return network.eval()


def rounded(values: Tensor | np.ndarray, digits: int) -> list:
    """Nested lists of numbers with that many significant digits: 9 keep an f32, 17 an f64."""
    array = values.detach().numpy() if isinstance(values, Tensor) else values
    if array.ndim > 1:
        return [rounded(part, digits) for part in array]
    return [float(f"{v:.{digits}g}") for v in array.tolist()]


def preprocessing() -> dict:
    """Both rules: resize and normalize a 300 x 260 picture; normalize one that fits."""
    large, fitting = tensor_of(picture(300, 260)), tensor_of(picture(224, 224))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    cases = {}
    for name, resize, values in (
        ("picture-300x260.png", "bilinear-antialias", (resized_in_unit_range(large, 224) - mean) / std),
        ("picture-224x224.png", "none", normalized(fitting)),
    ):
        values = values[0]
        cases[resize] = {
            "picture": name,
            "size": 224,
            "mean": list(MEAN),
            "std": list(STD),
            "every": PROBES,
            "values": rounded(values[:, ::PROBES, ::PROBES], 9),
            "channel_sums": rounded(values.double().sum(dim=(1, 2)), 12),
        }
    return cases


def explained(kind: Architecture, network: nn.Module, image: Tensor, plan: attribution.Plan) -> dict:
    """Logits, last feature map, GradCAM and Kernel SHAP of one picture in one precision."""
    digits = 17 if image.dtype == torch.float64 else 9
    grey = (torch.tensor(plan.baseline, dtype=image.dtype) / 255).view(1, 3, 1, 1)
    baseline = (grey - torch.tensor(MEAN, dtype=image.dtype).view(1, 3, 1, 1)) / torch.tensor(
        STD, dtype=image.dtype
    ).view(1, 3, 1, 1)
    seen: list[Tensor] = []
    hook = kind.feature_layer(network).register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
    with torch.no_grad():
        logits = network(image)[0]
    hook.remove()
    values = attribution.coalition_values(network, image, baseline, plan)
    return {
        "logits": rounded(logits, digits),
        "probability": float(logits.softmax(0)[plan.target]),
        "feature_map": rounded(seen[0][0], min(digits, 9)),
        "gradcam": {
            output: rounded(attribution.gradcam(network, kind, image, plan.target, output), digits)
            for output in attribution.OUTPUTS
        },
        "kernel_shap": {
            "values": rounded(values, digits),
            "captum": rounded(attribution.kernel_shap(network, image, baseline, plan), 9),
            "exact": rounded(attribution.exact_solution(plan, values.numpy()), 17),
        },
    }


def make(out: Path) -> None:
    """Write all golden files into an existing folder."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    for width, height in ((300, 260), (224, 224)):
        picture(width, height).save(out / f"picture-{width}x{height}.png", optimize=True)
    _write(out / "preprocessing.json", preprocessing())
    image = normalized(tensor_of(picture(224, 224)))
    classes = ClassList(tuple(f"class-{i}" for i in range(CLASSES)), ("other",) * CLASSES)
    for family, name in NETWORKS.items():
        kind = ARCHITECTURES[name]
        network = network_of(kind, image)
        model = onnx_of(network, 224)
        difference = parity(network, model, image)
        network = network.eval()
        with torch.no_grad():
            target = int(network(image)[0].argmax())
        for suffix, stored, precision in (("", model, "f32"), ("-f16", with_f16_weights(model), "f16-weights")):
            path = out / f"{name}{suffix}.onnx"
            path.write_bytes(stored.SerializeToString())
            (out / f"{name}{suffix}.toml").write_text(to_toml(_manifest(path, precision, name, classes, stored)))
        plan = attribution.kernel_plan(
            evaluations=EVALUATIONS,
            target=target,
            output="logit" if family == "resnet" else "probability",
            seed=SEED,
            baseline=(124, 116, 104),
        )
        (out / f"{name}-plan.json").write_text(plan.to_json() + "\n")
        golden = {
            "network": f"{name}.onnx",
            "picture": "picture-224x224.png",
            "target": target,
            "f32": explained(kind, network, image, plan),
            "f64": explained(kind, network.double(), image.double(), plan),
            "onnxruntime_difference": float(f"{difference:.2g}"),
        }
        del golden["f64"]["feature_map"]  # the f32 one serves both; it is the largest part
        _write(out / f"{name}.json", golden)
    _write(out / "tools.json", versions())


def versions() -> dict:
    """What made the numbers."""
    modules = {"captum": captum, "numpy": np, "onnx": onnx, "onnxruntime": onnxruntime, "pillow": PIL, "torch": torch}
    return {"seed": SEED, **{k: v.__version__ for k, v in modules.items()}}


def _manifest(path: Path, precision: str, name: str, classes: ClassList, model: onnx.ModelProto) -> dict:
    result = {
        "architecture": name,
        "classes": CLASSES,
        "input": {"width": 224, "height": 224, "mean": list(MEAN), "std": list(STD)},
        "training": {"set": "none", "start": f"random, seed {SEED}"},
        "accuracy": [],
        "date": "2026-11-23",
    }
    table = manifest(
        name=path.stem,
        model=path,
        precision=precision,
        result=result,
        class_hash=classes.hash,
        feature_map=feature_map_of(model),
        head=head_of(model),
    )
    del table["accuracy"]
    return table


def _write(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line of `goldens`."""
    parser.add_argument("--out", type=Path, default=Path("tests/golden/desktop"))
    parser.add_argument("--overwrite", action="store_true", help="replace the files; without, compare with them")


def differing(made: Path, stored: Path) -> list[str]:
    """Names of the files in `made` that are missing or other in `stored`; tool versions do not count."""
    names = sorted(p.name for p in made.iterdir() if p.name != "tools.json")
    return [n for n in names if not (stored / n).is_file() or (stored / n).read_bytes() != (made / n).read_bytes()]


def main(arguments: argparse.Namespace) -> int:
    """Run the command `goldens`; exit code 1 if stored files differ."""
    a = arguments
    if a.overwrite:
        a.out.mkdir(parents=True, exist_ok=True)
        make(a.out)
        print(f"{a.out}: {sum(p.stat().st_size for p in a.out.iterdir())} bytes written")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        wrong = differing(Path(folder), a.out)
    for name in wrong:
        print(f"{a.out / name}: differs from what is made now; accept it with --overwrite")
    return 1 if wrong else 0
