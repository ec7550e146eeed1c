"""Settings of methods: those of a task, and those that a caller changes."""

from __future__ import annotations

import pytest

from baselines.configuration import METHODS, configure
from uhcs_bench.errors import UsageError


def test_settings_of_a_task_differ_only_where_they_are_named():
    """Check the one method that is trained in another way on microconstituents."""
    particles = configure("unet-efficientnet", "particles")
    others = configure("unet-efficientnet", "microconstituents")
    assert particles == METHODS["unet-efficientnet"]
    assert (others.loss, others.stages[0].updates) == ("ce", 1000)
    assert others.changed(loss=particles.loss, stages=particles.stages) == particles


def test_explicit_settings_come_last():
    """Check that a caller's settings replace those of the task."""
    changed = configure("unet-efficientnet", "microconstituents", updates=7, loss="ce+dice")
    assert (changed.loss, changed.stages[0].updates) == ("ce+dice", 7)


def test_updates_of_several_stages_are_refused():
    """Check that only the length of a single stage can be chosen."""
    with pytest.raises(UsageError, match="trains in 2 stages"):
        configure("pixelnet-ce", updates=7)
