"""Agreement of repeated annotations: scores, what counts as repeated, and the real fields."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import ks_2samp
from skimage.measure import label
from sklearn.metrics import accuracy_score, jaccard_score

import uhcs_bench
from tests.auditing.test_magnifications import UM, micrograph
from uhcs_bench import protocol
from uhcs_bench.auditing import magnifications, repeat_annotation
from uhcs_bench.auditing.overlaps import find_overlaps
from uhcs_bench.data.dataset import Dataset
from uhcs_bench.synthetic import micrographs as synthetic


def overlapping(shift=1, fold=1):
    """A micrograph, and a crop of it whose annotation is shifted."""
    made = synthetic.particles(5, (240, 320), UM)
    whole = micrograph("whole", made.image, made.labels)
    rows, columns = slice(20, 180), slice(50, 300)
    moved = np.roll(made.labels[rows, columns], shift, 0)
    return whole, micrograph("crop", made.image[rows, columns], moved, fold=fold)


def agreed(*micrographs, task="particles"):
    """Agreement of the micrographs of one task."""
    found = [*find_overlaps(micrographs), *magnifications.search(micrographs).overlaps]
    return repeat_annotation.agreement([Dataset(protocol.task(task), "1.0", micrographs)], found)


def test_scores_are_those_of_scikit_learn_and_scipy():
    """Check accuracy, intersection over union and the sizes on an overlap at one magnification."""
    whole, crop = overlapping()
    (field,) = agreed(whole, crop).fields
    first, second = whole.labels[20:180, 50:300], crop.labels
    pair = (first.ravel(), second.ravel())
    assert field.AC == pytest.approx(accuracy_score(*pair))
    ious = jaccard_score(*pair, average=None)
    assert list(field.IU.values()) == pytest.approx(list(ious))
    assert field.mean_IU == pytest.approx(ious.mean())
    areas = [np.bincount(label(x, connectivity=2).ravel())[1:] for x in (first, second)]
    test = ks_2samp(*areas, method="asymp")
    assert (field.sizes.n_a, field.sizes.n_b) == tuple(map(len, areas))
    assert field.sizes.ks_statistic == pytest.approx(test.statistic)
    assert field.sizes.p_value == pytest.approx(test.pvalue)
    assert field.sizes.consistent == (test.pvalue >= 0.05)
    assert not field.is_across_magnifications


def test_copies_are_no_repeated_annotation():
    """Check that equal labels, which nobody drew twice, are left out."""
    found = agreed(*overlapping(shift=0))
    assert found.fields == ()
    assert "No field was annotated twice." in found.to_text()
    assert json.loads(found.to_json())["means"] == {}


def test_means_leave_strips_out():
    """Check means by hand: two fields at two magnifications, one at the same."""

    def field(scale, accuracy, particle, p_value=0.5):
        sizes = repeat_annotation.SizeAgreement(3, 4, 0.1, p_value, p_value >= 0.05)
        return repeat_annotation.RepeatedField(
            "particles", "a", "b", scale, (9, 9), accuracy, {"particle": particle}, 0.5, sizes
        )

    fields = [field(0.5, 0.9, 0.6), field(0.4, 0.8, None, 0.01), field(1, 0.1, 0.1)]
    mean = repeat_annotation.mean(fields)
    assert (mean.n, mean.n_consistent) == (2, 1)
    assert mean.AC == pytest.approx(0.85)
    assert mean.IU == {"particle": 0.6}
    assert repeat_annotation.mean(fields[2:]) is None


def test_field_without_particles_has_no_distance():
    """Check a map of one class."""
    whole, crop = overlapping()
    empty = micrograph("crop", crop.image, crop.labels * 0)
    (field,) = agreed(whole, empty).fields
    assert field.sizes.ks_statistic is None
    assert not field.sizes.consistent
    assert field.IU["particle"] == 0
    assert json.loads(agreed(whole, empty).to_json())["fields"][0]["sizes"]["p_value"] is None


# Real data


@pytest.fixture(scope="module")
def deposit(real_cache, real_audit):
    """Agreement on the data as the paper used them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UHCS_BENCH_CACHE", str(real_cache))
        datasets = [uhcs_bench.load(task) for task in protocol.TASKS]
        return repeat_annotation.agreement(datasets, real_audit.overlaps)


def test_real_fields(deposit):
    """Check which fields were annotated twice, and that the duplicate is none of them."""
    pairs = [(field.b, field.a) for field in deposit.fields]
    assert pairs == [
        ("800C-3H-Q-2", "800C-3H-Q-1"),
        ("800C-85H-Q-1", "800C-85H-Q-5"),
        ("800C-85H-Q-2", "800C-85H-Q-6"),
        ("800C-24H-Q-2", "800C-24H-Q-3"),
        ("uhcs0333", "uhcs0599"),
        ("uhcs0579", "uhcs1176"),
    ]


def test_real_means(deposit):
    """Check the means that the documentation prints."""
    particles = repeat_annotation.mean(deposit.of("particles"))
    assert (particles.n, particles.n_consistent) == (3, 3)
    assert particles.AC == pytest.approx(0.938, abs=0.002)
    assert particles.IU["particle"] == pytest.approx(0.621, abs=0.005)
    others = repeat_annotation.mean(deposit.of("uhcs"))
    assert (others.n, others.n_consistent) == (1, None)
    assert others.AC == pytest.approx(0.908, abs=0.002)


def test_text_fits_a_terminal_and_states_its_limits(deposit):
    """Check width, and that each limit is printed."""
    text = deposit.to_text()
    assert max(map(len, text.splitlines())) <= 80
    joined = " ".join(text.split())
    assert all(limit in joined for limit in repeat_annotation.LIMITS)
    assert json.loads(deposit.to_json())["limits"] == list(repeat_annotation.LIMITS)
