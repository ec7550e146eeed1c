"""Combine the particle map and the microconstituent map of a micrograph, from files or arrays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UsageError
from uhcs_bench.io import paths
from uhcs_bench.io.images import ImageError
from uhcs_bench.measuring import pixel_size
from uhcs_bench.metallography import arguments, spheroidite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from uhcs_bench.metallography.spheroidite import CombinedAnalysis

    PathLike = str | os.PathLike[str]


def combine(
    particle_map: PathLike | ArrayLike,
    microconstituent_map: PathLike | ArrayLike,
    pixel_size_um: float | None = None,
    bin_edges_px: Sequence[float] | None = None,
    min_diameter: str | None = None,
) -> CombinedAnalysis:
    """Measure the particles inside the spheroidite of a micrograph (the paper's Figure 4).

    Parameters
    ----------
    particle_map : path or array_like of integers, shape (rows, columns)
        Prediction of a particle model: 0 matrix, 1 particle.
    microconstituent_map : path or array_like of integers, shape (rows, columns)
        Prediction of a microconstituent model for the same micrograph: 0 matrix, 1 network,
        2 spheroidite, 3 Widmanstatten.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres. By default, for files, that of the registry or of the
        header of `microconstituent_map`.
    bin_edges_px : sequence of float, optional
        Ascending distances from the network that separate the bins. By default five bins with
        about the same number of whole particles.
    min_diameter : str, optional
        Equivalent circular diameter of the smallest particle that counts, such as ``"0.2um"`` or
        ``"5px"``, after what lies outside the spheroidite is cut away; all particles unless given.

    Returns
    -------
    uhcs_bench.metallography.spheroidite.CombinedAnalysis
        Size distribution of the particles inside spheroidite, sizes by distance from the network,
        and Spearman's rank correlation of both, with 95 % intervals.

    Raises
    ------
    UsageError
        If a map can't be read or is none of its task, the shapes differ, the pixel size is not
        possible, the edges don't ascend, or the smallest diameter is none, or is in micrometres
        without a pixel size.

    Examples
    --------
    The last of three particles lies outside the spheroidite:

    >>> import numpy as np
    >>> constituents = np.full((60, 80), 2)
    >>> constituents[:, :10], constituents[:, 70:] = 1, 0
    >>> mask = np.zeros((60, 80), np.uint8)
    >>> mask[10:12, 20:22] = mask[40:44, 60:64] = mask[40:50, 72:76] = 1
    >>> found = combine(mask, constituents, pixel_size_um=0.5)
    >>> len(found.particles), found.n_dropped
    (2, 1)
    """
    particle = _read(particle_map, "particles")
    constituents = _read(microconstituent_map, "microconstituents")
    arguments.check_pixel_size(pixel_size_um)
    if pixel_size_um is not None:
        pixel_size.check(pixel_size_um)
    elif isinstance(microconstituent_map, str | os.PathLike):
        shape = (constituents.shape[0], constituents.shape[1])
        pixel_size_um = pixel_size.find(paths.given(microconstituent_map), shape).um
    return spheroidite.combine(particle, constituents, pixel_size_um, bin_edges_px, min_diameter)


def _read(map_: Any, task: protocol.TaskName) -> Any:
    """Return a label map of a task, from a file or an array."""
    classes = protocol.TASKS[task].classes
    if not isinstance(map_, str | os.PathLike):
        arguments.as_map(map_, f"map of {task}")
        return arguments.as_labels(map_, len(classes), f"map of {task}")
    path = paths.given(map_)
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder. Give one file; the command uhcs-bench combine takes folders."
        )
    try:
        return label_maps.read_map(path, classes)
    except ImageError as error:
        raise UsageError(f"{path} {error}. Give a label map as PNG, TIFF or NPY.") from error
