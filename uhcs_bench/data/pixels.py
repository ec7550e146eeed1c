"""From a source file's pixels to the canonical array, and the proof that they are the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.errors import UhcsBenchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.data.registry import File, Source


class CanonicalError(UhcsBenchError):
    """A file with other pixels than the benchmark's; the message follows the file's address."""


def pixel_sha256(array: NDArray[np.generic]) -> str:
    """Hash an array's pixels, whatever container they came in.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    str
        SHA-256, in hexadecimal, over ``"<dtype> <rows>x<columns>"``, a newline and the pixels'
        bytes in C order.

    Examples
    --------
    >>> pixel_sha256(np.zeros((2, 3), np.uint8))[:12]
    '43d95ab7cbd6'
    """
    header = f"{array.dtype.name} {'x'.join(map(str, array.shape))}\n"
    digest = hashlib.sha256(header.encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def canonical_array(pixels: NDArray[np.generic], source: Source) -> NDArray[np.uint8]:
    """Bring a source file's pixels into canonical form.

    Parameters
    ----------
    pixels : ndarray
        As decoded from the file: (rows, columns), or (rows, columns, 3) with three equal channels.
    source : Source
        Which rows to use and how many are missing above them.

    Returns
    -------
    ndarray of uint8
        Missing rows are filled with the first row that is there.

    Raises
    ------
    CanonicalError
        If the pixels are coloured, don't fit into uint8, or have too few rows.
    """
    if pixels.ndim == 3:
        if not (pixels == pixels[..., :1]).all():
            raise CanonicalError("is a colour image where a gray one was expected")
        pixels = pixels[..., 0]
    first, stop = source.rows
    if pixels.ndim != 2 or pixels.shape[0] < stop:
        raise CanonicalError(
            f"holds an array of shape {pixels.shape}, where at least {stop} rows were expected"
        )
    used = pixels[first:stop]
    array = used.astype(np.uint8)
    if not (array == used).all():
        raise CanonicalError("holds values that are not whole numbers from 0 to 255")
    return np.pad(array, ((source.missing_rows, 0), (0, 0)), mode="edge")


def check_pixels(array: NDArray[np.uint8], file: File) -> None:
    """Compare a canonical array with the registry's hash.

    Raises
    ------
    CanonicalError
        If the pixels differ.
    """
    found = pixel_sha256(array[file.hashed_from_row :])
    if found != file.pixel_sha256:
        raise CanonicalError(
            f"holds other pixels than the benchmark's "
            f"(pixel sha256 {found}, expected {file.pixel_sha256})"
        )
