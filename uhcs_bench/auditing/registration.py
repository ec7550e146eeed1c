"""Shift of a label map against its micrograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.auditing.correlation import STANDARD_ERRORS, local_mean, pearson, windows
from uhcs_bench.metrics import confusion as metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from uhcs_bench.data.micrograph import Micrograph


SHIFT_REACH = 5
"""Rows and columns up to which a label map is moved to and fro."""


N_STRIPS = 8
"""Horizontal strips in which shifts are measured apart."""


TOLERANCE_PX: dict[protocol.TaskName, float] = {"particles": 0.5, "microconstituents": 3.0}
"""Shift or drift that isn't reported. Particles were marked pixel by pixel. Borders between
microconstituents were drawn by hand, and are bright on one side and dark on the other, as in
relief, which moves the estimate by two rows on a map that lies right."""


_STRIP_PX = 8
"""Rows of a strip, and columns of a map, below which shifts can't be measured."""


BUSY_PX = 20
"""Pixels that change from row to row on either side of a repeated row that is no accident."""


@dataclass(frozen=True)
class Registration:
    """How a label map lies on its micrograph.

    Shifts are those that the label map would need: rows down, columns to the right.

    Attributes
    ----------
    id : str
    correlation : float
        Of the label map's borders and the magnitude of the gray levels' gradient; without shift.
    best_correlation : float
        With the best shift.
    best_shift : tuple of int
        Rows and columns.
    rows, columns : tuple of float, or None
        Shift to fractions of a pixel in the middle of the map, and its standard error over the
        strips; None where too few strips tell.
    drift : tuple of float, or None
        Rows that the shift grows by from the top of the map to its bottom, and standard error;
        None unless all strips tell.
    strips : tuple of float or None
        Shift in rows of each strip, from top to bottom; None where there is no best one in reach.
    gray_correlation : tuple of float, or None
        Correlation of the gray levels and the label map, without and with the best shift; None
        without particles.
    iu_if_moved : float or None
        Particle IU of the label map and itself moved by `best_shift`: what a perfect segmentation
        of the micrograph scores. None without particles.
    is_shifted : bool
        Whether the best shift exceeds `TOLERANCE_PX`, in an axis whose shift is `STANDARD_ERRORS`
        away from 0.
    is_drifting : bool
        The same of the drift.
    """

    id: str
    correlation: float
    best_correlation: float
    best_shift: tuple[int, int]
    rows: tuple[float, float] | None
    columns: tuple[float, float] | None
    drift: tuple[float, float] | None
    strips: tuple[float | None, ...]
    gray_correlation: tuple[float, float] | None
    iu_if_moved: float | None
    is_shifted: bool
    is_drifting: bool


def register(micrograph: Micrograph) -> Registration | None:
    """Measure how a label map lies on its micrograph.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    Registration or None
        None where it can't be measured: on a map of one class, a constant image, or a tiny one.

    Notes
    -----
    A border pixel is one with a pixel of another class above, below, or beside it. The gradient is
    taken by central differences after a mean over 3 x 3 pixels. Its magnitude doesn't tell bright
    from dark: shading in relief draws it less to one side than it does the gray levels. All shifts
    see the same pixels of the label map, those at least `SHIFT_REACH` from its border.

    Under independent Gaussian noise the most likely shift is the one of the greatest correlation.
    Fractions come from a parabola through the three greatest log-likelihoods of each strip. A line
    through the strips' shifts, weighted by how sharp their maxima are, gives the shift in the
    middle of the map, the drift, and from its residuals both standard errors.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> found = register(load("particles", version="synthetic")[0])
    >>> found.best_shift, found.is_shifted
    ((0, 0), False)
    """
    labels = micrograph.labels
    borders = _borders(labels)
    smallest = _STRIP_PX * N_STRIPS + 2 * SHIFT_REACH
    if min(labels.shape) < smallest or not borders.any():
        return None
    sums = _shifted_sums(_edges(micrograph.image), borders)
    whole = _correlations(_Sums(*(part.sum(0) for part in sums)))
    if whole.max() <= 0:
        return None
    strips = np.maximum(_correlations(sums), 0)
    likelihoods = -sums.n[:, None, None] / 2 * np.log1p(-(strips**2))
    row, column = np.unravel_index(int(whole.argmax()), whole.shape)
    shift = (int(row) - SHIFT_REACH, int(column) - SHIFT_REACH)
    peaks = [_peak(strip) for strip in likelihoods[:, :, column]]
    down = _line(peaks)
    across = _line([_peak(strip) for strip in likelihoods[:, row]])
    drift = down[1] if down is not None and None not in peaks else None
    tolerance = TOLERANCE_PX[micrograph.task]
    has_particles = protocol.task(micrograph.task).has_particles
    return Registration(
        id=micrograph.id,
        correlation=float(whole[SHIFT_REACH, SHIFT_REACH]),
        best_correlation=float(whole[row, column]),
        best_shift=shift,
        rows=down and down[0],
        columns=across and across[0],
        drift=drift,
        strips=tuple(peak and peak[0] for peak in peaks),
        gray_correlation=_gray_correlation(micrograph, shift) if has_particles else None,
        iu_if_moved=_iu_if_moved(labels, shift) if has_particles else None,
        is_shifted=any(
            line is not None and abs(best) > tolerance and _is_real(line[0])
            for best, line in zip(shift, (down, across), strict=True)
        ),
        is_drifting=drift is not None and abs(drift[0]) > tolerance and _is_real(drift),
    )


def _is_real(estimate: tuple[float, float]) -> bool:
    return abs(estimate[0]) >= STANDARD_ERRORS * estimate[1]


def _borders(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    borders = np.zeros(labels.shape, np.bool_)
    below, beside = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    # both sides of a border, so that it lies where the classes meet
    borders[1:] |= below
    borders[:-1] |= below
    borders[:, 1:] |= beside
    borders[:, :-1] |= beside
    return borders


def _edges(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Magnitude of the gray levels' gradient.

    It is rounded, so that all sums are whole numbers, exact, and the same on every machine.
    """
    down, across = np.gradient(local_mean(image, 1))
    magnitude: NDArray[np.int64] = np.rint(4 * np.hypot(down, across)).astype(np.int64)
    return magnitude


class _Sums(NamedTuple):
    """Sums that correlations are made of, by strip; those over the image for every shift."""

    n: NDArray[np.float64]
    n_borders: NDArray[np.float64]
    at_borders: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]


def _shifted_sums(values: NDArray[np.int64], mask: NDArray[np.bool_]) -> _Sums:
    from scipy import fft

    reach, n_shifts = SHIFT_REACH, 2 * SHIFT_REACH + 1
    n_rows, n_columns = (length - 2 * reach for length in values.shape)
    starts = np.linspace(0, n_rows, N_STRIPS, endpoint=False).astype(np.int64)
    inner = mask[reach:-reach, reach:-reach]

    def box_sums(values: NDArray[np.int64]) -> NDArray[np.float64]:
        cumulated = np.insert(np.cumsum(values, 1), 0, 0, 1)
        by_row = cumulated[:, n_columns:] - cumulated[:, :n_shifts]
        by_strip = [
            np.add.reduceat(by_row[down : down + n_rows], starts) for down in range(n_shifts)
        ]
        return np.stack(by_strip, 1).astype(np.float64)

    # Rows are correlated by Fourier transform, which gives all column shifts at once. The inner
    # part of the map nowhere leaves the image, so that nothing wraps around.
    length = fft.next_fast_len(values.shape[1], real=True)
    spectra = fft.rfft(values.astype(np.float64), length)
    conjugate = fft.rfft(inner.astype(np.float64), length).conj()
    products = [
        np.add.reduceat(spectra[down : down + n_rows] * conjugate, starts)
        for down in range(n_shifts)
    ]
    return _Sums(
        n=np.diff(starts, append=n_rows) * float(n_columns),
        n_borders=np.add.reduceat(inner.sum(1), starts).astype(np.float64),
        at_borders=np.rint(fft.irfft(np.stack(products, 1), length)[..., :n_shifts]),
        total=box_sums(values),
        squares=box_sums(values**2),
    )


def _correlations(sums: _Sums) -> NDArray[np.float64]:
    """Correlation of the image with the borders for every shift; 0 where either is constant."""
    n, n_borders = (x[..., None, None] for x in (sums.n, sums.n_borders))
    covariance = n * sums.at_borders - n_borders * sums.total
    variances = (n * sums.squares - sums.total**2) * (n_borders * (n - n_borders))
    norm = np.sqrt(np.maximum(variances, 0))
    return np.divide(covariance, norm, out=np.zeros_like(covariance), where=norm > 0)


def _peak(likelihoods: NDArray[np.float64]) -> tuple[float, float] | None:
    """Most likely shift and the curvature there; None if the greatest has no lower neighbours."""
    best = int(likelihoods.argmax())
    if not 0 < best < len(likelihoods) - 1:
        return None
    before, at, after = likelihoods[best - 1 : best + 2].tolist()
    curvature = 2 * at - before - after
    if curvature <= 0:
        return None
    return best - SHIFT_REACH + (after - before) / (2 * curvature), curvature


def _line(
    peaks: Sequence[tuple[float, float] | None],
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Value in the middle and rise over the whole height, each with its standard error."""
    known = [(i, *peak) for i, peak in enumerate(peaks) if peak is not None]
    if 2 * len(known) <= len(peaks):
        return None
    strip, shift, weight = np.array(known).T
    height = (strip + 0.5) / len(peaks) - 0.5
    design = np.stack([np.ones_like(height), height], 1)
    inverse = np.linalg.inv(design.T * weight @ design)
    fitted = inverse @ (design.T * weight @ shift)
    residual = shift - design @ fitted
    variance = float(weight @ residual**2) / (len(known) - 2)
    errors = np.sqrt(variance * np.diag(inverse))
    middle, rise = zip(fitted.tolist(), errors.tolist(), strict=True)
    return middle, rise


def _gray_correlation(micrograph: Micrograph, shift: tuple[int, int]) -> tuple[float, float]:
    reach = SHIFT_REACH
    inner = micrograph.labels[reach:-reach, reach:-reach]
    rows, columns = inner.shape
    unmoved, moved = (
        micrograph.image[
            reach + down : reach + down + rows, reach + right : reach + right + columns
        ]
        for down, right in ((0, 0), shift)
    )
    return pearson(unmoved, inner), pearson(moved, inner)


def _iu_if_moved(labels: NDArray[np.uint8], shift: tuple[int, int]) -> float:
    here, there = windows(labels.shape, labels.shape, shift)
    confusion = metrics.confusion_matrix(labels[here], labels[there], n_classes=2)
    return float(metrics.intersection_over_union(confusion)[protocol.PARTICLE_LABEL])
