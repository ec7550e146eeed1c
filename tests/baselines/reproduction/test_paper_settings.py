"""The settings of the paper's text, beside those of the methods."""

from __future__ import annotations

import pytest
import torch

from baselines.configuration import METHODS, configure
from baselines.reproduction.paper_settings import SCALES, SETTINGS, differences
from baselines.training import augmentation


def test_the_strict_variant_is_the_papers():
    """Check that nothing differs, and the values of the section "Training details" themselves."""
    strict = METHODS["pixelnet-focal-paper"]
    assert differences(strict) == []
    first, second = strict.stages
    assert (first.updates, first.learning_rate, first.features_rate) == (125, 1e-3, 0)
    assert (second.updates, second.learning_rate, second.features_rate) == (125, 1e-5, 1e-5)
    assert (strict.gamma, strict.alpha_power, strict.pixels, strict.batch) == (2, 1, 2048, 4)
    assert strict.fc7
    assert strict.crop is None


@pytest.mark.parametrize(
    ("change", "setting", "here"),
    [
        ({"fc7": False}, "hypercolumn", "without fc7"),
        ({"crop": 224}, "training views", "windows of 224 px"),
        ({"augmentation": "paper"}, "scaling", "0.67 to 2"),
        ({"alpha_power": 0.5}, "class weight, power of inverse share", "0.5"),
        ({"gamma": 1.0}, "focusing parameter", "1"),
        ({"weight_decay": 1e-2}, "weight decay", "1e-2"),
        ({"precision": "bfloat16"}, "number format", "bfloat16"),
        ({"batch": 8}, "micrographs per update", "8"),
        ({"pixels": 100}, "pixels per micrograph", "100"),
        ({"stages": METHODS["pixelnet-ce"].stages[:1]}, "updates of both stages", "125"),
    ],
)
def test_each_departure_is_found(change, setting, here):
    """Check the line for one changed setting after another."""
    found = differences(configure("pixelnet-focal-paper", **change))
    assert (setting, here) in [(difference.setting, difference.here) for difference in found]
    if "stages" not in change:
        assert len(found) == 1


def test_the_focal_losss_settings_are_not_asked_of_others():
    """Check that cross-entropy has no power of class weights."""
    names = {difference.setting for difference in differences(METHODS["pixelnet-ce"])}
    assert not names & {setting.name for setting in SETTINGS if setting.focal_only}


def test_ranges_of_scaling_are_those_that_are_drawn():
    """Check the words against ten thousand views."""
    assert SCALES.keys() == augmentation.DRAW.keys()
    for name, words in SCALES.items():
        low, high = (float(word) for word in words.split(" to "))
        generator = torch.Generator().manual_seed(0)
        scale = augmentation.DRAW[name](10_000, (4, 4), 2, generator).scale
        assert scale.min().item() == pytest.approx(low, abs=0.01)
        assert scale.max().item() == pytest.approx(high, abs=0.01)
