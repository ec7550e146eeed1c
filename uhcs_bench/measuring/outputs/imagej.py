"""Files for ImageJ and Fiji: outlines of particles as regions of interest, and a table of results.

A user opens the micrograph, drops the zip onto the ROI manager, and looks at each particle; the
table's rows have the numbers of the regions.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.errors import MissingPackageError
from uhcs_bench.io import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from uhcs_bench.measuring.row import Measurement

_DATE = (1980, 1, 1, 0, 0, 0)
"""Of the zip's members, so that the same particles give the same bytes."""


def check() -> None:
    """See that regions can be written.

    Raises
    ------
    MissingPackageError
        If roifile is not installed.
    """
    _roifile()


def _roifile() -> Any:
    try:
        import roifile
    except ImportError as error:
        raise MissingPackageError("Writing regions for ImageJ", "measure") from error
    return roifile


def rois(mask: NDArray[np.bool_]) -> bytes:
    """Write the outline of each particle as a region of interest.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
        Where there is particle.

    Returns
    -------
    bytes
        A zip of ``.roi`` files, named by the numbers that the particles have in
        `uhcs_bench.measuring.row.particle_rows`. Holes are filled: a region is one outline.
    """
    library = _roifile()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, outline in enumerate(outlines(mask), start=1):
            name = f"{number:05d}"
            region = library.ImagejRoi.frompoints(outline, name=name)
            region.roitype = library.ROI_TYPE.POLYGON
            info = zipfile.ZipInfo(f"{name}.roi", _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, region.tobytes())
    return stream.getvalue()


def outlines(mask: NDArray[np.bool_]) -> Iterator[NDArray[np.int32]]:
    """Trace each particle's outer outline along the edges of its pixels, as ImageJ's wand does.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)

    Yields
    ------
    ndarray of int32, shape (n, 2)
        Corners x (columns) and y (rows) of a closed polygon; the first pixel's corners are 0 and 1.
        Particles come in the order of their first pixels, 8-connected.

    Examples
    --------
    >>> mask = np.zeros((4, 5), bool)
    >>> mask[1:3, 2:4] = True
    >>> next(outlines(mask)).tolist()
    [[2, 1], [4, 1], [4, 3], [2, 3]]
    """
    from scipy import ndimage
    from skimage.measure import label

    numbered = label(mask, connectivity=2)
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        corner = np.array([box[1].start - 1, box[0].start - 1], np.int32)  # of the padded box
        yield np.array(_trace(np.pad(numbered[box] == number, 1)), np.int32) + corner


_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Right, down, left, up, as steps of x and y."""


def _trace(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Follow the pixel edges of the one component of a padded mask, particle to the right."""
    row = int(np.flatnonzero(mask.any(1))[0])
    x, y = int(np.flatnonzero(mask[row])[0]), row
    start, heading = (x, y), 0
    corners: list[tuple[int, int]] = []
    while True:
        # The pixels ahead, to the left and to the right of the way; left first joins diagonals.
        for turn in (3, 0, 1):
            next_heading = (heading + turn) % 4
            if _is_edge(mask, x, y, next_heading):
                break
        if next_heading != heading or not corners:
            corners.append((x, y))
        heading = next_heading
        x, y = x + _STEPS[heading][0], y + _STEPS[heading][1]
        if (x, y) == start and heading == 3:
            return corners


def _is_edge(mask: NDArray[np.bool_], x: int, y: int, heading: int) -> bool:
    """Say whether the edge from a corner on has particle to its right and none to its left."""
    # Pixels around the corner (x, y): (y - 1, x - 1), (y - 1, x), (y, x - 1), (y, x).
    right, left = (
        ((y, x), (y - 1, x)),
        ((y, x - 1), (y, x)),
        ((y - 1, x - 1), (y, x - 1)),
        ((y - 1, x), (y - 1, x - 1)),
    )[heading]
    return bool(mask[right]) and not mask[left]


def results(found: Measurement) -> bytes:
    """Write a table of particles with the columns and definitions of ImageJ's results table.

    Parameters
    ----------
    found : Measurement
        Of a map of particles.

    Returns
    -------
    bytes
        CSV. Area, centroid X and Y (of the image's corner), Major and Minor (of the ellipse with
        the particle's area and the aspect ratio of its second moments), AR and Round, in
        micrometres where the pixel size is known, else in pixels.
    """
    assert found.particles is not None  # noqa: S101 - only maps of particles come here
    table = found.particles.table
    um = found.scale.um or 1.0
    area = table["area_px"] * um**2
    ratio = table["aspect_ratio"]
    minor = np.sqrt(4 * area / (np.pi * ratio))
    columns = {
        " ": np.arange(1, len(table) + 1),
        "Area": area,
        "X": (table["column"] + 0.5) * um,
        "Y": (table["row"] + 0.5) * um,
        "Major": minor * ratio,
        "Minor": minor,
        "AR": ratio,
        "Round": 1 / ratio,
    }
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return tables.csv_text([*columns], rows).encode()
