"""Both standard errors of an overall score, against numpy and the paper's tables."""

from __future__ import annotations

import numpy as np
import pytest

from uhcs_bench import paper
from uhcs_bench.stats.standard_errors import error_over_values, overall_errors


def test_errors_are_numpys():
    """Check scores with gaps."""
    scores = np.random.default_rng(0).random((24, 4))
    scores[3, 1] = scores[5, 2] = np.nan
    found = overall_errors(scores)
    means = np.nanmean(scores, axis=1)
    assert found.over_micrographs == pytest.approx(means.std(ddof=1) / np.sqrt(24))
    values = scores[~np.isnan(scores)]
    assert found.over_values == pytest.approx(values.std(ddof=1) / np.sqrt(94))
    assert (found.n_micrographs, found.n_values) == (24, 94)


def test_error_from_class_rows_is_that_of_the_values():
    """Check that means and errors of the classes are enough."""
    scores = np.random.default_rng(1).random((24, 3)) + np.array([0, 0.3, 0.5])
    errors = scores.std(0, ddof=1) / np.sqrt(24)
    assert error_over_values(scores.mean(0), errors, 24) == pytest.approx(
        overall_errors(scores).over_values
    )


@pytest.mark.parametrize("task", ["microconstituents", "particles"])
def test_papers_overall_error_is_over_values(task):
    """Check the paper's PixelNet: its class rows give its overall error, to the digit printed."""
    (row,) = (r for r in paper.reported(task) if "pixelnet" in r.method)
    classes = list(row.classes.values())
    found = error_over_values([c.mean for c in classes], [c.spread for c in classes], 24)
    assert round(found, 1) == row.IU.spread
