"""GradCAM, Kernel SHAP along a plan, and the stored golden files."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("captum", reason="captum is not installed: pip install '.[attribution]'")

from roadgaze_desktop import attribution, goldens
from roadgaze_desktop.architectures import ARCHITECTURES

GOLDEN = Path(__file__).parents[3] / "tests" / "golden" / "desktop"
PLAN = attribution.kernel_plan(evaluations=120, target=3, output="logit", seed=4, baseline=(0, 0, 0))


def test_a_plan_survives_its_file_and_notices_changes():
    assert attribution.Plan.from_json(PLAN.to_json()) == PLAN
    with pytest.raises(ValueError, match="coalitions were changed"):
        attribution.Plan.from_json(PLAN.to_json().replace("[0, 1", "[1, 1", 1))


def test_a_plan_repeats_no_coalition_and_starts_at_the_ends():
    assert len(set(PLAN.coalitions)) == len(PLAN.coalitions) == 120
    assert set(PLAN.coalitions[0]) == {1} and set(PLAN.coalitions[1]) == {0}
    sizes = [sum(row) for row in PLAN.coalitions[2:]]
    assert min(sizes) >= 1 and max(sizes) <= 48
    # the law is symmetric and prefers small and large coalitions
    assert np.mean([s <= 12 or s >= 37 for s in sizes]) > 0.5


class Additive(torch.nn.Module):
    """Scores the mean of each super-pixel with its own factor: Shapley values are known."""

    def __init__(self):
        super().__init__()
        self.factor = torch.arange(49.0, dtype=torch.float64).view(7, 7) / 10

    def forward(self, images):
        cells = torch.nn.functional.avg_pool2d(images.mean(dim=1), 32)
        score = (cells * self.factor.to(images.dtype)).sum(dim=(1, 2))
        return score[:, None].expand(-1, 5) + 0.5


def test_kernel_shap_finds_the_values_of_an_additive_game():
    image = torch.ones(1, 3, 224, 224, dtype=torch.float64)
    black = torch.zeros(1, 3, 1, 1, dtype=torch.float64)
    expected = np.arange(49) / 10
    values = attribution.coalition_values(Additive(), image, black, PLAN).numpy()
    assert np.abs(attribution.exact_solution(PLAN, values) - expected).max() < 1e-9
    found = attribution.kernel_shap(Additive(), image, black, PLAN).numpy()
    # Captum solves in f32 with weights of 1e6
    assert np.abs(found - expected).max() < 5e-3


def test_the_batch_does_not_change_the_attribution():
    torch.manual_seed(0)
    network = ARCHITECTURES["resnet-micro"].build(82).eval()
    plan = replace(PLAN, coalitions=PLAN.coalitions[:60], weights=PLAN.weights[:60])
    image, black = torch.randn(1, 3, 224, 224), torch.zeros(1, 3, 1, 1)
    one, seven = (attribution.coalition_values(network, image, black, plan, batch) for batch in (1, 7))
    assert torch.allclose(one, seven, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet-micro", "convnext-micro"])
@pytest.mark.parametrize("output", attribution.OUTPUTS)
def test_gradcam_is_the_closed_form(name, output):
    torch.manual_seed(1)
    kind = ARCHITECTURES[name]
    network = kind.build(82).double().eval()
    image = torch.randn(1, 3, 224, 224, dtype=torch.float64)
    seen = []
    kind.feature_layer(network).register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
    found = attribution.gradcam(network, kind, image, 5, output)
    A = seen[0][0]
    n = A.shape[1] * A.shape[2]
    with torch.no_grad():
        p = network(image)[0].softmax(0)
    W = kind.head(network).weight.detach()
    w = W[5] if output == "logit" else p[5] * (W[5] - p @ W)
    if kind.family == "convnext":
        g = A.mean(dim=(1, 2))
        norm = network.classifier[0]
        sigma = (g.var(unbiased=False) + norm.eps).sqrt()
        h, u = (g - g.mean()) / sigma, norm.weight.detach() * w
        w = (u - u.mean() - h * (u * h).mean()) / sigma
    expected = (w[:, None, None] * A).sum(0) / n
    assert (found - expected).abs().max() < 1e-14


def test_pixel_ratio_of_known_cases():
    mask = np.zeros((224, 224), dtype=bool)
    mask[:, :112] = True
    even = np.ones((7, 7))
    assert attribution.pixel_ratio(even, mask) == pytest.approx(0.5)
    left = np.zeros((7, 7))
    left[3, 0], left[3, 6] = 2.0, -5.0
    assert attribution.pixel_ratio(left, mask) == 1.0
    assert attribution.pixel_ratio(-even, mask) is None


def test_stored_goldens_are_small_and_hang_together():
    files = list(GOLDEN.iterdir())
    assert sum(f.stat().st_size for f in files) < 1_500_000
    for name in goldens.NETWORKS.values():
        plan = attribution.Plan.from_json((GOLDEN / f"{name}-plan.json").read_text())
        golden = json.loads((GOLDEN / f"{name}.json").read_text())
        values = golden["f64"]["kernel_shap"]["values"]
        solution = attribution.exact_solution(plan, np.array(values))
        assert np.abs(solution - golden["f64"]["kernel_shap"]["exact"]).max() < 1e-12
        assert sum(solution) == pytest.approx(values[0] - values[1], abs=1e-12)


def test_goldens_can_be_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(goldens, "EVALUATIONS", 60)
    goldens.make(tmp_path)
    for a, b in pairwise(sorted(p.name for p in GOLDEN.iterdir())):
        assert (tmp_path / a).is_file() and (tmp_path / b).is_file()
    stored = [n for n in goldens.differing(tmp_path, GOLDEN) if n.startswith("picture")]
    assert stored == []
