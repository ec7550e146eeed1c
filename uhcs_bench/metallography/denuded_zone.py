"""Widths of the denuded zone, the particle-free matrix along the proeutectoid cementite network.

`denuded_zone_widths` is the paper's measure (section "Computing denuded zone widths"), sample for
sample what the authors' code gives. `unobstructed_widths` is what we would report instead: lengths
of straight lines that run from the spheroidite to the network through the denuded zone alone.

The paper's measure, on the 23 annotations that have a network:

- It samples the pixels on both sides of the interface. Of a zone of w pixels they give w and w + 1,
  twice as many samples as there is interface, half a pixel too wide on average.
- It takes away matrix at the network whose outline is smooth: closed, it covers no network pixel
  and passes for detached. A zone with straight edges is lost as a whole; 7 annotations lose some.
- It samples where spheroidite touches the network, often for that reason, and there is no zone:
  widths of 0 and 1, 16 % of the samples in uhcs0006.
- It samples where no spheroidite is, 1 to 41 % of the samples: at the cut through the matrix half
  way to a Widmanstatten lath, and along laths that grow from the network.
- It takes the distance to the network whatever lies between: across spheroidite, from the far side
  of particles inside the zone, from pockets of matrix deep in a grain. In uhcs1150 a strip of
  matrix along the image's lower edge gives widths of 150 to 190 px: the mean is 38 px, the median
  23; along lines through the zone both are 20.
- The network beyond the image's edge is unseen, so that widths near the edge are too large.
- Rough or oblique interface has more pixels than its length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.formatting import abbreviated
from uhcs_bench.metallography import _interfaces, arguments, components, estimates
from uhcs_bench.metallography.labels import (
    MATRIX,
    MICROCONSTITUENTS,
    NETWORK,
    SPHEROIDITE,
    WIDMANSTATTEN,
    check_label_map,
)
from uhcs_bench.stats import proportions

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from uhcs_bench.metallography.labels import LabelMap

    Mask = NDArray[np.bool_]
    Points = NDArray[np.float64]

HOLE_PX = 128
"""Holes in the network smaller than this, in pixels, are network, as in the authors' code."""

HOLE_UM2 = 4.8
"""Holes in the network smaller than this, in square micrometres, are network to our own measures,
and smaller spheroidite is a particle inside the zone, which does not end it: 128 px at 0.194 um per
pixel, the pixel size of 15 of the 24 annotations. Where the pixel size is unknown it is 128 px."""

NO_NETWORK = "the map has no network"


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class DenudedZone:
    """Denuded-zone widths as the paper measures them.

    ``len()`` and ``np.asarray()`` give number and values of the samples.

    Attributes
    ----------
    widths_px : ndarray of float64, shape (n_samples,)
        In pixels, row after row of the interface.
    reason : str
        Why there are no samples; empty where there are some.
    cleaned : ndarray of uint8, shape (rows, columns)
        The map after cleaning: matrix is denuded zone, network and spheroidite are the rest.
    interface : ndarray of bool, shape (rows, columns)
        Pixels on either side of the spheroidite's boundary, where the samples are taken.
    """

    widths_px: NDArray[np.float64]
    reason: str
    cleaned: NDArray[np.uint8]
    interface: Mask

    __repr__ = abbreviated

    @property
    def row(self) -> NDArray[np.int64]:
        """Rows of the samples."""
        return _interfaces.pixels(self.interface)[:, 0]

    @property
    def column(self) -> NDArray[np.int64]:
        """Columns of the samples."""
        return _interfaces.pixels(self.interface)[:, 1]

    @property
    def weights(self) -> NDArray[np.float64]:
        """How much each sample counts: all the same."""
        return np.ones(len(self.widths_px))

    def __len__(self) -> int:
        return len(self.widths_px)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.widths_px, dtype) if copy else np.asarray(self.widths_px, dtype)


def denuded_zone_widths(label_map: LabelMap) -> DenudedZone:
    """Measure denuded-zone widths as the authors' code does (section "Computing denuded zone ...").

    The map is cleaned first: holes in the network smaller than 128 px are filled; closed matrix
    components that cover no network pixel, matrix nearer to a Widmanstatten lath than to the
    network, and the laths become spheroidite. A width is then the distance to the network of a
    pixel on either side of the spheroidite's boundary, between the centres of pixels.

    No distance map is built. Distances are looked up in trees of outline pixels, for the interface
    alone, and laths are compared with the network block by block, which is exact, takes a quarter
    of the time and grows with the length of the outlines.

    Parameters
    ----------
    label_map : ndarray of integers, shape (rows, columns)
        Microconstituents: 0 matrix, 1 network, 2 spheroidite, 3 Widmanstatten.

    Returns
    -------
    DenudedZone
        Without samples, but with a reason, for a map that has no network, where the authors' code
        fails, or no interface. A map without Widmanstatten loses no matrix to it; there the
        authors' code takes the distance to a point outside the image.

    Raises
    ------
    ValueError
        If the map has not two dimensions or a label is not one of the four.

    See Also
    --------
    unobstructed_widths : What removes this measure's errors.

    Examples
    --------
    A zone of 10 px on one side of a network that has a spur of 2 px:

    >>> labels = np.full((60, 80), SPHEROIDITE)
    >>> labels[:, 20:30], labels[:, 10:20] = MATRIX, NETWORK
    >>> labels[30, 20:22] = NETWORK
    >>> widths, counts = np.unique(denuded_zone_widths(labels), return_counts=True)
    >>> widths[counts > 40]
    array([ 0.,  1., 10., 11.])

    The widths 0 and 1 are those of the other side, where spheroidite touches the network. Without
    the spur the outlines are straight, closed matrix covers no network pixel, and the cleaning
    takes the whole zone away:

    >>> labels[30, 20:22] = MATRIX
    >>> np.unique(denuded_zone_widths(labels))
    array([0., 1.])

    >>> denuded_zone_widths(labels * 0 + SPHEROIDITE).reason
    'the map has no network'
    """
    cleaned = _copy(label_map)
    nowhere = np.zeros(cleaned.shape, np.bool_)
    if not (cleaned == NETWORK).any():
        return DenudedZone(np.zeros(0), NO_NETWORK, cleaned, nowhere)
    _fill_holes(cleaned)
    _remove_detached_matrix(cleaned)
    network = _interfaces.tree(_interfaces.pixels(_interfaces.outline(cleaned == NETWORK)))
    laths = cleaned == WIDMANSTATTEN
    if laths.any():
        lath_tree = _interfaces.tree(_interfaces.pixels(_interfaces.outline(laths)))
        cleaned[_interfaces.nearer(cleaned == MATRIX, lath_tree, network)] = SPHEROIDITE
        cleaned[laths] = SPHEROIDITE
    spheroidite = cleaned == SPHEROIDITE
    interface = _interfaces.spread(spheroidite, np.logical_or) & ~_interfaces.spread(
        spheroidite, np.logical_and
    )
    points = _interfaces.pixels(interface)
    if not len(points):
        reason = "spheroidite and denuded zone have no interface"
        return DenudedZone(np.zeros(0), reason, cleaned, nowhere)
    return DenudedZone(network.query(points)[0], "", cleaned, interface)


@dataclass(frozen=True, eq=False)
class UnobstructedWidths:
    """Denuded-zone widths along straight lines through the zone.

    A sample is a pixel edge between spheroidite and matrix. Positions are in pixels, pixel centres
    being whole numbers.

    Attributes
    ----------
    widths_px : ndarray of float64, shape (n_samples,)
        Lengths of the lines in pixels.
    weights : ndarray of float64, shape (n_samples,)
        How much each counts, see `unobstructed_widths`.
    row, column : ndarray of float64, shape (n_samples,)
        Where the lines start, at the spheroidite.
    network_row, network_column : ndarray of float64, shape (n_samples,)
        Where they end, at the network.
    shape : tuple of int
        Of the map.
    reason : str
        Why there are no samples; empty where there are some.
    n_edges : int
        Pixel edges between spheroidite and matrix, those without a sample included: the others are
        counted by the next three.
    n_near_widmanstatten : int
        Edges nearer to a lath than to the network.
    n_obstructed : int
        Other edges whose line to the network does not run through matrix alone.
    n_near_border : int
        Other edges that are nearer to the image's edge than to the network.
    contact_fraction : float
        Share of the network's outline that spheroidite touches, so that there is no zone; NaN
        without network.
    """

    widths_px: NDArray[np.float64]
    weights: NDArray[np.float64]
    row: Points
    column: Points
    network_row: Points
    network_column: Points
    shape: tuple[int, int]
    reason: str
    n_edges: int
    n_near_widmanstatten: int
    n_obstructed: int
    n_near_border: int
    contact_fraction: float

    __repr__ = abbreviated

    def __len__(self) -> int:
        return len(self.widths_px)


def unobstructed_widths(
    label_map: LabelMap, pixel_size_um: float | None = None
) -> UnobstructedWidths:
    """Measure denuded-zone widths along lines that run through the denuded zone alone.

    The width at a point of the interface is the length of the shortest straight line from there to
    the network's outline. Interface is where annotated or predicted spheroidite meets matrix, and
    a point counts if its line

    - is shorter than that to the next Widmanstatten lath (the paper's rule),
    - starts into the matrix and crosses spheroidite and laths by no more than a pixel in all, so
      that it measures the zone and nothing behind it,
    - is shorter than the way to the image's edge, beyond which a nearer network would be unseen.

    Lines run between the middles of pixel edges. Along rows, columns and diagonals a zone of w
    pixels has the width w; in other directions the nearest tread of the outline's staircase is up
    to 0.4 px nearer than the outline. A point's weight is

    - the cosine of the angle between its pixel edge's normal and the line: the length of interface
      that is seen from the network, so that neither oblique nor rough interface counts too much,
    - times the inverse of the share of the image in which a line of that length can't be cut by the
      edge (K.-H. Hanisch, Mathematische Operationsforschung und Statistik, Series Statistics 15,
      1984, for nearest neighbours), since wide zones are cut more often.

    Where two points of the network are equally near, either may be the line's end; turned by 90
    degrees, annotations keep their mean width within 0.2 %.

    Holes of the network smaller than `HOLE_UM2` are filled, 128 px where the pixel size is unknown,
    as in the paper; spheroidite smaller than that is a particle inside the zone, and taken for
    matrix.

    Parameters
    ----------
    label_map : ndarray of integers, shape (rows, columns)
        Microconstituents: 0 matrix, 1 network, 2 spheroidite, 3 Widmanstatten.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres, for the size of holes and islands.

    Returns
    -------
    UnobstructedWidths

    Raises
    ------
    ValueError
        If the map has not two dimensions or a label is not one of the four.

    Examples
    --------
    A zone of 10 px on one side of a network, as in `denuded_zone_widths`:

    >>> labels = np.full((60, 80), SPHEROIDITE)
    >>> labels[:, 20:30], labels[:, 10:20] = MATRIX, NETWORK
    >>> zone = unobstructed_widths(labels)
    >>> np.unique(zone.widths_px)
    array([10.])
    >>> zone.n_edges, zone.n_near_border, round(zone.contact_fraction, 2)
    (60, 20, 0.5)
    """
    arguments.check_pixel_size(pixel_size_um)
    labels = _copy(label_map)
    if not (labels == NETWORK).any():
        return _no_widths(labels, NO_NETWORK, 0, math.nan)
    _fill_holes(labels, pixel_size_um)
    _fill_islands(labels, pixel_size_um)
    changes = _interfaces.changes(labels)
    network_ends, _, beyond = _interfaces.edges(changes, NETWORK)
    contact = float(proportions.ratio(np.count_nonzero(beyond == SPHEROIDITE), len(beyond)))
    points, normals, _ = _interfaces.edges(changes, SPHEROIDITE, MATRIX)
    if not len(points):
        return _no_widths(labels, "spheroidite and matrix have no interface", 0, contact)
    widths, nearest = _interfaces.tree(network_ends).query(points)
    ends = network_ends[nearest]
    cosines = np.einsum("ij,ij->i", normals, ends - points) / widths
    lath_ends = _interfaces.edges(changes, WIDMANSTATTEN)[0]
    near_lath = widths < 0
    if len(lath_ends):
        to_lath, _ = _interfaces.tree(lath_ends).query(points, distance_upper_bound=widths.max())
        near_lath = to_lath < widths
    clear = ~near_lath & (cosines > 0)
    obstacles = (labels == SPHEROIDITE) | (labels == WIDMANSTATTEN)
    clear[clear] = _interfaces.run_clear(obstacles, points[clear], ends[clear], widths[clear])
    sides = np.array(labels.shape)
    to_border = np.minimum(points + 0.5, sides - 0.5 - points).min(axis=1)
    kept = clear & (widths < to_border)
    reason = "" if kept.any() else "every width may be cut short by the image's edge"
    if not clear.any():
        reason = "no line from spheroidite to the network runs through matrix alone"
    visible = np.prod(sides - 2 * widths[kept, np.newaxis], axis=1) / np.prod(sides)
    return UnobstructedWidths(
        widths_px=widths[kept],
        weights=cosines[kept] / visible,
        row=points[kept, 0],
        column=points[kept, 1],
        network_row=ends[kept, 0],
        network_column=ends[kept, 1],
        shape=(len(labels), labels.shape[1]),
        reason=reason,
        n_edges=len(points),
        n_near_widmanstatten=int(near_lath.sum()),
        n_obstructed=int((~near_lath & ~clear).sum()),
        n_near_border=int((clear & ~kept).sum()),
        contact_fraction=contact,
    )


def width_distribution(
    zone: DenudedZone | UnobstructedWidths, pixel_size_um: float | None = None
) -> estimates.Distribution:
    """Summarize denuded-zone widths, with intervals.

    Neighbouring samples see nearly the same width, so that intervals come from blocks of the map,
    not from samples, nor from connected pieces of the interface, of which a map has few, of very
    different lengths; see `uhcs_bench.metallography.estimates.BLOCKS`. Those of `DenudedZone` hold
    the mean of many fields less often than others, and are lower bounds of the uncertainty.

    Parameters
    ----------
    zone : DenudedZone or UnobstructedWidths
    pixel_size_um : float, optional
        Edge of a pixel in micrometres.

    Returns
    -------
    uhcs_bench.metallography.estimates.Distribution

    Examples
    --------
    >>> labels = np.full((60, 80), SPHEROIDITE)
    >>> labels[:, 20:30], labels[:, 10:20] = MATRIX, NETWORK
    >>> found = width_distribution(unobstructed_widths(labels), pixel_size_um=0.2)
    >>> found.mean.px.value, found.mean.um.value
    (10.0, 2.0)
    """
    advice = "Give the result of denuded_zone_widths or unobstructed_widths"
    arguments.check_is(zone, (DenudedZone, UnobstructedWidths), "widths", advice)
    arguments.check_pixel_size(pixel_size_um)
    shape = zone.cleaned.shape if isinstance(zone, DenudedZone) else zone.shape
    if not len(zone):
        return estimates.distribution([], [], reason=zone.reason)
    block = estimates.block_numbers(zone.row, zone.column, (shape[0], shape[1]))
    return estimates.distribution(zone.widths_px, block, zone.weights, pixel_size_um)


def network_distances(
    row: NDArray[np.generic],
    column: NDArray[np.generic],
    label_map: LabelMap,
    pixel_size_um: float | None = None,
) -> NDArray[np.float64]:
    """Find the distance of points from the network's outline.

    Parameters
    ----------
    row, column : ndarray, shape (n_points,)
        In pixels, pixel centres being whole numbers.
    label_map : ndarray of integers, shape (rows, columns)
        Microconstituents.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres, for the size of holes, see `HOLE_UM2`.

    Returns
    -------
    ndarray of float64, shape (n_points,)
        In pixels, as in `unobstructed_widths`; 0 inside the network, NaN if there is no network.

    Examples
    --------
    >>> labels = np.zeros((20, 20), int)
    >>> labels[:, 0] = NETWORK
    >>> network_distances(np.array([4, 4]), np.array([0, 3]), labels)
    array([0. , 2.5])
    """
    labels = _copy(label_map)
    if not (labels == NETWORK).any():
        return np.full(len(row), np.nan)
    _fill_holes(labels, pixel_size_um)
    outline = _interfaces.edges(_interfaces.changes(labels), NETWORK)[0]
    points = np.stack([row, column], axis=1).astype(float)
    distances = (
        _interfaces.tree(outline).query(points)[0] if len(outline) else np.zeros(len(points))
    )
    last = np.array(labels.shape) - 1
    at = np.clip(np.floor(points + 0.5).astype(np.int64), 0, last)
    return np.where(labels[at[:, 0], at[:, 1]] == NETWORK, 0.0, distances)


def _copy(label_map: LabelMap) -> NDArray[np.uint8]:
    labels = check_label_map(label_map, len(MICROCONSTITUENTS))
    return np.array(labels, np.uint8, order="C")


def _no_widths(
    labels: NDArray[np.uint8], reason: str, n_edges: int, contact: float
) -> UnobstructedWidths:
    none = np.zeros(0)
    shape = (len(labels), labels.shape[1])
    return UnobstructedWidths(
        none, none, none, none, none, none, shape, reason, n_edges, 0, 0, 0, contact
    )


def _fill_holes(labels: NDArray[np.uint8], pixel_size_um: float | None = None) -> None:
    """Give small 4-connected regions that are not network to the network, in place."""
    area = hole_area_px(pixel_size_um)
    components.fill_small(labels, labels != NETWORK, 4, area, NETWORK)


def _fill_islands(labels: NDArray[np.uint8], pixel_size_um: float | None) -> None:
    """Give small spheroidite to the matrix, in place."""
    area = hole_area_px(pixel_size_um)
    components.fill_small(labels, labels == SPHEROIDITE, 8, area, MATRIX)


def hole_area_px(pixel_size_um: float | None) -> float:
    """Return the area in pixels below which holes and islands are filled, see `HOLE_UM2`.

    Examples
    --------
    >>> hole_area_px(None), hole_area_px(0.2).__round__()
    (128, 120)
    """
    return HOLE_PX if pixel_size_um is None else HOLE_UM2 / pixel_size_um**2


def _remove_detached_matrix(labels: NDArray[np.uint8]) -> None:
    """Give closed 8-connected matrix that covers no network pixel to spheroidite, in place."""
    closed = _interfaces.spread(_interfaces.spread(labels == MATRIX, np.logical_or), np.logical_and)
    starts, stops, width = components.find_runs(closed)
    roots = components.join_runs(starts, stops, width, 8)
    row, column = _interfaces.pixels(closed & (labels == NETWORK)).T
    covering = np.searchsorted(starts, row * width + column + 1, side="right") - 1
    covers_network = np.zeros(len(starts), np.bool_)
    covers_network[roots[covering]] = True
    detached = ~covers_network[roots]
    components.paint(labels, starts[detached], stops[detached], width, SPHEROIDITE)
