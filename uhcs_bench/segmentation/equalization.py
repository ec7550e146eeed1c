"""Local histogram equalisation (CLAHE), computed window by window.

`skimage.exposure.equalize_adapthist` computes it for a whole image and takes some 100 bytes for
each of its pixels. Here the histograms of all tiles are counted in bands, and any window of the
result is then computed by itself, with the same values: memory is that of a window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BAND_PIXELS = 1 << 19
"""Pixels that are worked on at a time where a whole image is gone through."""

_COMFORTABLE_POWER = 100
"""Powers of two within which floats are used as they are; those of float32 reach to 127."""

_LEVELS = 1 << 14
"""Gray levels that tiles are mapped to; those of scikit-image."""


@dataclass(frozen=True, kw_only=True)
class Equalization:
    """Parameters of local histogram equalisation (CLAHE): those of scikit-image, and its defaults.

    Attributes
    ----------
    clip_limit : float
        From 0 to 1; higher gives more contrast.
    kernel_size : int or None
        Height and width of a tile; None takes an eighth of the image's height and of its width.
    nbins : int
        Bins of each tile's histogram.
    """

    clip_limit: float = 0.01
    kernel_size: int | None = None
    nbins: int = 256


def bands(shape: tuple[int, int]) -> Iterator[slice]:
    """Go through an image's rows, as many at a time as `BAND_PIXELS` allows.

    Examples
    --------
    >>> [(band.start, band.stop) for band in bands((3, BAND_PIXELS // 2))]
    [(0, 2), (2, 3)]
    """
    rows, columns = shape
    step = max(1, BAND_PIXELS // columns)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def power_of(image: NDArray[np.generic]) -> int:
    """Return the power of two that an image's gray values are divided by before they are used.

    Floats of 64 bits may be too large for one of 32 bits, or too small, as may be their squares and
    the reciprocals of their differences. Divided by a power of two they keep all of their digits.

    Parameters
    ----------
    image : ndarray of any integer or float dtype
        Finite gray values.

    Returns
    -------
    int
        0 where nothing is to be done: for integers, and where the largest float is within 1e-30 and
        1e30.

    Examples
    --------
    >>> power_of(np.array([0.25, 1.5])), power_of(np.array([0, 2.0**900]))
    (0, 901)
    """
    if image.dtype.kind != "f":
        return 0
    largest = max(np.abs(image.min()), np.abs(image.max()))
    power = int(np.frexp(largest)[1])
    return power if largest and abs(power) > _COMFORTABLE_POWER else 0


def divided(values: NDArray[np.generic], power: int) -> NDArray[np.generic]:
    """Divide gray values by a power of two.

    Examples
    --------
    >>> divided(np.array([0, 2.0**900]), 901)
    array([0. , 0.5])
    """
    return np.ldexp(values, -power) if power else values


class Stretched:
    """An image whose darkest value is 0 and whose brightest is 1; a constant one is 0.

    Parameters
    ----------
    image : ndarray of any integer or float dtype, shape (h, w)

    Examples
    --------
    >>> Stretched(np.array([[3, 5, 7]], np.uint8)).window(slice(0, 1), slice(1, 3))
    array([[0.5, 1. ]], dtype=float32)
    """

    def __init__(self, image: NDArray[np.generic]) -> None:
        self.image = image
        self._power = power_of(image)
        ends = divided(np.array([image.min(), image.max()]), self._power)
        self._low, self._high = ends.astype(np.float32)

    @property
    def is_constant(self) -> bool:
        """Whether there is only one value, as far as float32 can tell."""
        return bool(self._low == self._high)

    def window(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Compute a part of it."""
        return self.of(self.image[rows, columns])

    def of(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Stretch some of the image's values."""
        floats = divided(values, self._power).astype(np.float32)
        if self.is_constant:
            return np.zeros_like(floats)
        floats -= self._low
        floats /= self._high - self._low
        return floats


class Equalized:
    """An image with its histogram equalised locally (CLAHE) [1]_, as scikit-image does it.

    Each tile of a grid has a map from gray levels to equalised ones; a pixel's level is
    interpolated between the maps of the four tiles around it.

    Parameters
    ----------
    image : ndarray of any integer or float dtype, shape (h, w)
        Gray values; their range doesn't matter.
    parameters : Equalization, optional
        By default scikit-image's defaults, which the authors' code takes.

    References
    ----------
    .. [1] K. Zuiderveld (1994), Contrast limited adaptive histogram equalization, Graphics Gems IV,
       474-485.

    Examples
    --------
    >>> image = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    >>> found = Equalized(image)
    >>> whole = found.window(slice(0, 64), slice(0, 64))
    >>> bool((found.window(slice(20, 30), slice(5, 9)) == whole[20:30, 5:9]).all())
    True
    """

    def __init__(self, image: NDArray[np.generic], parameters: Equalization | None = None) -> None:
        self._parameters = parameters or Equalization()
        self._stretched = Stretched(image)
        self._shape = (image.shape[0], image.shape[1])
        size = self._parameters.kernel_size
        self._tile = tuple(max(side // 8, 1) if size is None else size for side in self._shape)

    def window(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Compute a part of the equalised image.

        Parameters
        ----------
        rows, columns : slice
            With start and stop, inside of the image.

        Returns
        -------
        ndarray of float32
            Gray values in [0, 1]; all zero if the image is constant.
        """
        from skimage.exposure import rescale_intensity

        if self._stretched.is_constant:
            return self._stretched.window(rows, columns)
        levels = self._levels(rows, columns)
        if levels.shape == self._shape:
            self._range = (float(levels.min()), float(levels.max()))
        stretched: NDArray[np.float32] = rescale_intensity(
            levels.astype(np.float32), in_range=self._range
        )
        return stretched

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The darkest and the brightest equalised level of the image."""
        across = slice(0, self._shape[1])
        ends = [
            (found.min(), found.max())
            for rows in bands(self._shape)
            for found in (self._levels(rows, across),)
        ]
        return float(min(low for low, _ in ends)), float(max(high for _, high in ends))

    def _levels(self, rows: slice, columns: slice) -> NDArray[np.uint16]:
        """Map a part of the image, each pixel by the four tiles around it."""
        down, across = (
            _Places(np.arange(part.start, part.stop), tile, n)
            for part, tile, n in zip((rows, columns), self._tile, self._maps.shape, strict=False)
        )
        bins = self._bins(self._stretched.window(rows, columns))
        levels = np.zeros(bins.shape, np.float32)
        maps, n_across = self._maps.reshape(-1), self._maps.shape[1]
        for upper in (True, False):
            for left in (True, False):
                tiles = np.add.outer(n_across * down.tile(upper), across.tile(left))
                mapped = maps[tiles * self._parameters.nbins + bins]
                levels += (
                    mapped * np.multiply.outer(down.share(upper), across.share(left))
                ).astype(np.float32)
        return levels.astype(np.uint16)

    @cached_property
    def _maps(self) -> NDArray[np.int64]:
        """For each tile and bin the equalised level; shape (tiles down, tiles across, nbins)."""
        n_pixels = math.prod(self._tile)
        limit = self._parameters.clip_limit
        most = int(max(limit * n_pixels, 1)) if limit > 0 else n_pixels
        maps = np.apply_along_axis(_clipped, -1, self._histograms(), most).cumsum(-1).astype(float)
        maps *= (_LEVELS - 1) / n_pixels
        found: NDArray[np.int64] = np.minimum(maps, _LEVELS - 1).astype(np.int64)
        return found

    def _histograms(self) -> NDArray[np.int64]:
        """Count the bins of each tile; the last tiles of a side are filled by mirroring."""
        height, width = self._tile
        n_bins = self._parameters.nbins
        rows, columns = map(_mirrored, self._shape, self._tile)
        n_across = len(columns) // width
        of_column = np.arange(len(columns)) // width * n_bins
        counts = np.zeros((len(rows) // height, n_across * n_bins), np.int64)
        for band in bands((len(rows), len(columns))):
            for number in range(band.start // height, -(-band.stop // height)):
                first, last = (
                    max(number * height, band.start),
                    min((number + 1) * height, band.stop),
                )
                seen = self._stretched.of(self._stretched.image[rows[first:last]][:, columns])
                found = (of_column + self._bins(seen)).ravel()
                counts[number] += np.bincount(found, minlength=n_across * n_bins)
        return counts.reshape(-1, n_across, n_bins)

    def _bins(self, stretched: NDArray[np.float32]) -> NDArray[np.intp]:
        from skimage.exposure import rescale_intensity
        from skimage.util import img_as_uint

        ends = (0, np.iinfo(np.uint16).max)
        levels = rescale_intensity(img_as_uint(stretched), ends, out_range=(0, _LEVELS - 1))
        bins: NDArray[np.intp] = np.rint(levels).astype(np.intp)
        bins //= 1 + _LEVELS // self._parameters.nbins
        return bins


class _Places:
    """Rows or columns of pixels between the centres of tiles."""

    def __init__(self, pixels: NDArray[np.intp], tile: int, n_tiles: int) -> None:
        # Tiles are counted from half a tile before the image, where a pixel has one neighbour.
        self._number, offset = np.divmod(pixels + tile // 2, tile)
        self._far = offset / tile
        self._last = n_tiles - 1

    def tile(self, is_before: bool) -> NDArray[np.intp]:
        """Give the tile before each pixel or behind it; at the edge they are the same."""
        number: NDArray[np.intp] = np.clip(self._number - is_before, 0, self._last)
        return number

    def share(self, is_before: bool) -> NDArray[np.float64]:
        """Give that tile's share in the pixel."""
        return 1 - self._far if is_before else self._far


def _mirrored(side: int, tile: int) -> NDArray[np.intp]:
    """Give the pixel at each place of a side that is mirrored up to a whole number of tiles."""
    return np.pad(np.arange(side), (0, -side % tile), mode="reflect")


def _clipped(counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Cut a histogram off, and spread what is above over the other bins."""
    cut = np.minimum(counts, most)
    excess = int((counts - cut).sum())
    each = excess // cut.size
    filled = np.where(cut < most - each, cut + each, cut)
    filled[filled >= most - each] = most
    excess -= int((filled - cut).sum())
    while excess > 0 and (filled < most).any():
        for first in range(filled.size):
            is_open = filled < most
            step = max(1, int(np.count_nonzero(is_open)) // excess)
            chosen = np.flatnonzero(is_open[first::step]) * step + first
            filled[chosen] += 1
            excess -= chosen.size
            if excess <= 0:
                break
    return filled
