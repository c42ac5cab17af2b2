"""What the reference run asks of a network, by PyTorch with Captum or by ONNX Runtime."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnx
import onnxruntime
import torch
from captum.attr import LayerGradCam
from torch import Tensor

from . import attribution
from .graph import constant
from .manifest import sha256_of
from .onnx_torch import OnnxNetwork


@dataclass(frozen=True)
class Described:
    """An ONNX file and its manifest."""

    manifest: dict
    onnx: Path

    @property
    def name(self) -> str:
        """Short name."""
        return self.manifest["name"]

    @property
    def size(self) -> int:
        """Pixels of the square input."""
        return int(self.manifest["input"]["width"])

    def normalized(self, images: Tensor) -> Tensor:
        """From N 3 H W u8 (RGB) to f32 as the manifest says: (x / 255 - mean) / std."""
        entry = self.manifest["input"]
        mean, std = (torch.tensor(entry[k], device=images.device).view(1, 3, 1, 1) for k in ("mean", "std"))
        planes = images.flip(1) if entry["channel_order"] == "bgr" else images
        return (planes.float() / 255 - mean) / std


def described(path: Path) -> Described:
    """Read a manifest, given itself or its ONNX file; a `ValueError` says what does not fit."""
    manifest = path if path.suffix == ".toml" else path.with_suffix(".toml")
    if not manifest.is_file():
        raise ValueError(f"{manifest}: expected the manifest of a network, found none; `roadgaze run --write-manifest`")
    with manifest.open("rb") as file:
        table = tomllib.load(file)
    model = manifest.parent / table["file"]
    if not model.is_file():
        raise ValueError(f"{model}: expected the network that {manifest.name} describes, found none")
    found = sha256_of(model)
    if found != table["sha256"]:
        raise ValueError(f"{model}: expected sha256 {table['sha256']} as in the manifest, found {found}")
    if "feature_map" not in table:
        raise ValueError(f"{manifest}: expected `feature_map`, the tensor that pooling reads")
    return Described(table, model)


class Network(Protocol):
    """A way to run a network."""

    def predict(self, image: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Logits K and feature map C h w of a normalized image 1 3 H W."""
        ...

    def gradcam(self, image: Tensor, target: int, output: str) -> np.ndarray:
        """Signed map h w."""
        ...

    def values(self, image: Tensor, baseline: Tensor, plan: attribution.Plan) -> np.ndarray:
        """Output of the target for each coalition of the plan."""
        ...


class TorchNetwork:
    """PyTorch runs the graph, Captum explains it."""

    def __init__(self, what: Described, device: torch.device, batch: int):
        self.network = OnnxNetwork(what.onnx, what.manifest["feature_map"]).eval().to(device)
        self.batch = batch
        self.features: Tensor | None = None
        self.network.tap.register_forward_hook(self._keep)

    def _keep(self, _module: object, _inputs: object, output: Tensor) -> None:
        self.features = output.detach()

    @torch.no_grad()
    def predict(self, image: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Logits and feature map."""
        logits = self.network(image)[0].cpu().numpy()
        return logits, self.features[0].cpu().numpy()

    def gradcam(self, image: Tensor, target: int, output: str) -> np.ndarray:
        """Captum's LayerGradCam without ReLU."""
        explainer = LayerGradCam(attribution.Scored(self.network, output), self.network.tap)
        # the tap has a gradient only if something before it has one
        with torch.enable_grad():
            leaf = image.detach().clone().requires_grad_()
            found = explainer.attribute(leaf, target=target, relu_attributions=False)
        return found.detach()[0, 0].cpu().numpy()

    def values(self, image: Tensor, baseline: Tensor, plan: attribution.Plan) -> np.ndarray:
        """Coalitions in batches."""
        found = attribution.coalition_values(self.network, image.detach(), baseline, plan, batch=self.batch)
        return found.cpu().numpy()

    def captum_shap(self, image: Tensor, baseline: Tensor, plan: attribution.Plan) -> np.ndarray:
        """Captum's own fit along the plan, M attributions."""
        found = attribution.kernel_shap(self.network, image.detach(), baseline, plan, batch=self.batch)
        return found.cpu().numpy()


class OrtNetwork:
    """ONNX Runtime runs the file as it is; GradCAM is the closed form of a head of pooling and a linear layer."""

    def __init__(self, what: Described, threads: int):
        model = onnx.load(what.onnx)
        tap = what.manifest["feature_map"]
        model.graph.output.append(onnx.helper.make_tensor_value_info(tap, onnx.TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name
        self.outputs = [model.graph.output[0].name, tap]
        self.head = what.manifest.get("head")
        if self.head is not None:
            names = ("weight", "norm_weight")
            self.weights = {n: constant(model, self.head[n]) for n in names if n in self.head}
            if self.weights["weight"].shape[0] != what.manifest["classes"]["count"]:
                self.weights["weight"] = self.weights["weight"].T

    def predict(self, image: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Logits and feature map."""
        logits, features = self.session.run(self.outputs, {self.input: image.numpy()})
        return logits[0], features[0]

    def gradcam(self, image: Tensor, target: int, output: str) -> np.ndarray:
        """Closed form, see `harness/src/attribution/gradcam.rs`."""
        if self.head is None:
            raise ValueError("GradCAM: expected `head` in the manifest; use --backend torch")
        logits, features = (v.astype(np.float64) for v in self.predict(image))
        weight = self.weights["weight"]
        row = weight[target]
        if output == "probability":
            p = np.exp(logits - logits.max())
            p /= p.sum()
            row = p[target] * (row - p @ weight)
        cells = features.shape[1] * features.shape[2]
        if "norm_weight" in self.weights:
            pooled = features.mean(axis=(1, 2))
            sigma = np.sqrt(pooled.var() + self.head["eps"])
            h = (pooled - pooled.mean()) / sigma
            u = self.weights["norm_weight"] * row
            row = (u - u.mean() - h * (u * h).mean()) / sigma
        return np.einsum("c,chw->hw", row, features) / cells

    def values(self, image: Tensor, baseline: Tensor, plan: attribution.Plan) -> np.ndarray:
        """One coalition at a time: exported files have batch 1."""
        segments = plan.segments()[0, 0].numpy()
        picture, empty = image.numpy()[0], baseline.numpy()[0]
        found = []
        for row in plan.coalitions:
            kept = np.asarray(row, dtype=bool)[segments]
            logits = self.session.run(self.outputs[:1], {self.input: np.where(kept, picture, empty)[None]})[0][0]
            if plan.output == "probability":
                powers = np.exp(logits.astype(np.float64) - logits.max())
                logits = powers / powers.sum()
            found.append(float(logits[plan.target]))
        return np.array(found)
