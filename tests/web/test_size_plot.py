"""Plot of two size distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from uhcs_bench.metallography import components
from uhcs_bench.metrics import particle_sizes
from uhcs_bench.scoring.results import SizeDistributionTest
from uhcs_bench.web import size_plot

if TYPE_CHECKING:
    from numpy.typing import NDArray


def squares(edge: int) -> NDArray[np.uint8]:
    """A map of four square particles."""
    labels = np.zeros((100, 100), np.uint8)
    for row, column in ((5, 5), (5, 55), (55, 5), (55, 55)):
        labels[row : row + edge, column : column + edge] = 1
    return labels


def test_gap_is_where_the_curves_differ_most() -> None:
    """Check place and size of the Kolmogorov-Smirnov distance."""
    annotated, predicted = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])
    at, share, other = size_plot._largest_gap(annotated, predicted)
    assert (at, share, other) == (2.0, 0.5, 0.0)


def size_test(areas_true: NDArray[np.int64], areas_pred: NDArray[np.int64]) -> SizeDistributionTest:
    """The test of two samples that the plot shows."""
    statistic, p_value = particle_sizes.ks_test(areas_true, areas_pred)
    n = len(areas_true), len(areas_pred)
    return SizeDistributionTest(statistic, p_value, *n, consistent=p_value >= 0.05)


@pytest.mark.parametrize("edge", range(1, 40))
def test_label_of_the_gap_does_not_cover_the_key(edge: int) -> None:
    """Check boxes in the drawing, wherever the curves differ."""
    pair = squares(edge), squares(40)
    test = size_test(*map(components.particle_areas, pair))
    plot = size_plot.size_plot(size_plot.Diameters(*pair), test, None, 46.0)
    assert plot.gap is not None
    left = plot.gap.label_x - (58 if plot.gap.anchor == "end" else 0)
    top, bottom = plot.gap.label_y - 12, plot.gap.label_y + 3
    # As in plot.html.jinja.
    key_left, key_top, key_bottom = plot.right - 202, plot.bottom - 46, plot.bottom - 10
    assert left + 58 < key_left or bottom < key_top or top > key_bottom
    assert (plot.left <= left, left + 58 <= plot.right, top > plot.top) == (True, True, True)
