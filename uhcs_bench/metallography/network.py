"""How the network holds together, and the grain size that it outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.metallography import arguments, components
from uhcs_bench.metallography.denuded_zone import NO_NETWORK, hole_area_px
from uhcs_bench.metallography.estimates import Estimate, Quantity
from uhcs_bench.metallography.labels import MICROCONSTITUENTS, NETWORK, check_label_map
from uhcs_bench.stats import proportions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.metallography.labels import LabelMap

CONNECTED = 0.95
"""Share of the network in its largest part below which it is called broken."""


@dataclass(frozen=True)
class Connectivity:
    """Whether a network is in one piece and closes around its cells.

    Attributes
    ----------
    n_parts : int
        8-connected parts of the network, specks left out.
    largest_part : float
        Share of the network's area in its largest part; NaN without network.
    closed_cells : float
        Share of the area outside the network that lies in cells which the network closes within the
        image; NaN without network. Cells at the image's edge count as open, so that it is a lower
        bound.
    reason : str
        Why the shares are NaN; empty where they are not.
    """

    n_parts: int
    largest_part: float
    closed_cells: float
    reason: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether the largest part holds less than `CONNECTED` of the network."""
        return self.largest_part < CONNECTED


def connectivity(label_map: LabelMap, pixel_size_um: float | None = None) -> Connectivity:
    """Measure how much of the network hangs together, and how much of the rest it encloses.

    Parts of the network and cells smaller than the holes that are filled (see
    `uhcs_bench.metallography.denuded_zone.HOLE_UM2`) don't count.

    Parameters
    ----------
    label_map : ndarray of integers, shape (rows, columns)
        Microconstituents: 0 matrix, 1 network, 2 spheroidite, 3 Widmanstatten.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.

    Returns
    -------
    Connectivity

    Raises
    ------
    UsageError
        If the map has not two dimensions or a label is not one of the four.

    Examples
    --------
    A closed square of network, and a bar beside it:

    >>> labels = np.zeros((100, 200), int)
    >>> labels[20:80, 20:80] = NETWORK
    >>> labels[30:70, 30:70] = 2
    >>> labels[20:80, 150:160] = NETWORK
    >>> found = connectivity(labels)
    >>> found.n_parts, round(found.largest_part, 2), round(found.closed_cells, 2)
    (2, 0.77, 0.09)
    """
    network = check_label_map(label_map, len(MICROCONSTITUENTS)) == NETWORK
    smallest = hole_area_px(arguments.check_pixel_size(pixel_size_um))
    areas, _ = _components(network, 8)
    areas = areas[areas >= smallest]
    if not len(areas):
        return Connectivity(0, math.nan, math.nan, NO_NETWORK)
    cells, at_border = _components(~network, 4)
    closed = cells[(cells >= smallest) & ~at_border].sum()
    largest = float(areas.max() / areas.sum())
    share = float(proportions.ratio(closed, cells[cells >= smallest].sum()))
    return Connectivity(len(areas), largest, share)


def grain_size_number(spacing: Quantity) -> Estimate:
    """Return the ASTM grain size number of a mean intercept length.

    The number is that of ASTM E112, table 6, for grains that the network outlines. Boundaries
    without network are not seen: where the network is broken, grains look larger than they are,
    and the number is a lower bound.

    Parameters
    ----------
    spacing : Quantity
        Mean distance of the network's crossings along test lines, see
        `uhcs_bench.metallography.stereology.mean_intercept_length`.

    Returns
    -------
    Estimate
        NaN where the pixel size is unknown; large for small grains.

    Examples
    --------
    >>> from uhcs_bench.metallography.estimates import Estimate, Quantity
    >>> spacing = Quantity.from_px(Estimate(100.0, 90.0, 110.0), 1.0)
    >>> round(grain_size_number(spacing).value, 2)
    3.36
    """
    advice = "Give the spacing of mean_intercept_length"
    arguments.check_is(spacing, Quantity, "spacing", advice)
    um = spacing.um
    number, high, low = (
        -3.288 - 6.643856 * math.log10(length / 1000) if length > 0 else math.inf
        for length in (um.value, um.low, um.high)
    )
    return Estimate(*(math.nan if math.isnan(um.value) else x for x in (number, low, high)))


def _components(
    mask: NDArray[np.bool_], neighbours: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Find the areas of a mask's components, and which of them touch the image's edge."""
    starts, stops, width = components.find_runs(mask)
    roots = components.join_runs(starts, stops, width, 8 if neighbours == 8 else 4)
    first = starts // width
    outer = (first == 0) | (first == len(mask) - 1)
    outer |= (starts % width == 1) | (stops % width == width - 1)
    areas = np.bincount(roots, weights=stops - starts, minlength=len(roots))
    at_border = np.bincount(roots, weights=outer, minlength=len(roots)) > 0
    is_root = areas > 0
    return areas[is_root].astype(float), at_border[is_root]
