"""Fit to measure, against what ``uhcs-bench measure`` and scikit-image give."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label, regionprops
from skimage.segmentation import clear_border

import uhcs_bench
from uhcs_bench.measuring import row
from uhcs_bench.measuring.pixel_size import Scale
from uhcs_bench.ranking import fit


def maps(task):
    return [m.labels for m in uhcs_bench.load(task, version="synthetic")][:3]


def test_particles_are_those_of_scikit_image():
    """Check fraction, count and both means of whole particles of 5 px and more."""
    found = fit.measure(maps("particles"), "particles")
    for place, labels in enumerate(maps("particles")):
        whole = clear_border(label(labels, connectivity=2))
        regions = [region for region in regionprops(whole) if region.area >= 5]
        diameters = np.array([region.equivalent_diameter_area for region in regions])
        areas = np.array([region.area for region in regions])
        assert found["fraction_particle"][place] == pytest.approx(labels.mean())
        assert found["n_particles"][place] == len(regions)
        assert found["diameter_mean_px"][place] == pytest.approx(diameters.mean())
        weighted = (diameters * areas).sum() / areas.sum()
        assert found["diameter_by_area_px"][place] == pytest.approx(weighted)


@pytest.mark.slow
def test_the_network_is_measured_as_the_command_does():
    """Check fractions, both zone widths and the spacing against the row of a table."""
    found = fit.measure(maps("microconstituents"), "uhcs")
    for place, labels in enumerate(maps("microconstituents")):
        expected = row.measure(labels, "microconstituents", Scale(None, "")).row
        for name, values in found.items():
            assert values[place] == pytest.approx(expected[name]), name


def test_a_map_against_itself_fits():
    """Check that the annotation has no bias and is within every tolerance."""
    for task, measures in fit.MEASURES.items():
        values = fit.measure(maps(task), task)
        assert list(values) == [measure.name for measure in measures]
        for name in values:
            errors = fit.relative_errors(values[name], values[name])
            found = fit.summary(errors[np.newaxis])
            assert found.bias in (0, None)
            assert set(found.within.values()) == {float(found.n)}


def test_what_the_predicted_map_alone_lacks_is_a_miss():
    """Check an empty map: its lengths are undefined, its count and fraction are wrong by 100 %."""
    (truth, *_) = maps("particles")
    annotated = fit.measure([truth], "particles")
    predicted = fit.measure([truth * 0], "particles")
    found = {
        name: fit.summary(fit.relative_errors(annotated[name], predicted[name])[np.newaxis])
        for name in annotated
    }
    assert (found["n_particles"].bias, found["n_particles"].n_missed) == (-1, 0)
    assert (found["diameter_mean_px"].bias, found["diameter_mean_px"].n_missed) == (None, 1)
    assert all(fit_.within == {0.1: 0, 0.2: 0} for fit_ in found.values())


def test_what_the_annotation_lacks_is_left_out():
    """Check a map without network: nothing can be near to what is not there."""
    labels = np.full((40, 50), 2, np.uint8)
    annotated = fit.measure([labels], "microconstituents")
    errors = {n: fit.relative_errors(annotated[n], annotated[n]) for n in annotated}
    counted = [name for name, error in errors.items() if not np.isnan(error).any()]
    assert counted == ["fraction_spheroidite"]
    assert fit.share_within(np.array([*errors.values()])).tolist() == [1.0]


def test_runs_are_averaged():
    """Check two runs of which one is within 20 % and the other is not."""
    found = fit.summary(np.array([[0.1, 0.1], [0.5, 0.1]]))
    assert (found.n, found.within[0.2]) == (2, 1.5)
    assert found.bias == pytest.approx(0.2)
