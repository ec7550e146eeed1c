"""Measure label maps from files or arrays, and return their rows."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError, listed
from uhcs_bench.io import paths
from uhcs_bench.io.tables import Rows
from uhcs_bench.measuring import inputs, pixel_size, row
from uhcs_bench.metallography import arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    PathLike = str | os.PathLike[str]


def measure(
    maps: PathLike | Sequence[PathLike] | Mapping[str, ArrayLike] | ArrayLike,
    task: str,
    pixel_size_um: float | None = None,
    min_diameter: str | None = None,
) -> Rows:
    """Measure sizes, widths and fractions on label maps.

    The command of the same name segments micrographs first; here `uhcs_bench.segmentation.load`
    does, as the second example shows.

    Parameters
    ----------
    maps : path, sequence of paths, mapping of str to array_like, or ndarray
        Files (PNG, TIFF or NPY) and folders of them; label maps by id; or one label map of shape
        (rows, columns).
    task : str
        Name or alias of the task that the labels belong to.
    pixel_size_um : float, optional
        Edge of a pixel in micrometres. By default that of the registry for maps that are named
        like a benchmark's micrograph and have its shape, else that of the file's own header.
        Without one, values in micrometres are None.
    min_diameter : str, optional
        Equivalent circular diameter of the smallest particle that counts, such as ``"0.2um"`` or
        ``"5px"``. By default all count.

    Returns
    -------
    Rows
        A list with a dictionary for each map, by column name, see
        `uhcs_bench.measuring.columns.columns`. A name ends in the unit: ``_px``, ``_um``,
        ``_per_um2``; ``_low`` and ``_high`` are the ends of a 95 % interval. Its method
        ``to_frame`` gives a ``pandas.DataFrame``.

    Raises
    ------
    UsageError
        If there is no such task, pixel size or smallest diameter, or a map can't be read or
        measured. All such maps are listed; the command ``uhcs-bench measure`` measures the others.

    Examples
    --------
    Two particles of 4 x 4 px, one of them cut by the image's edge:

    >>> labels = np.zeros((40, 40), np.uint8)
    >>> labels[10:14, 20:24] = labels[30:34, :4] = 1
    >>> row, = measure({"a": labels}, "particles", pixel_size_um=0.5)
    >>> row["id"], row["n_particles"], round(row["diameter_median_um"], 3)
    ('a', 2, 2.257)

    The label map that the network of the package makes of a micrograph:

    >>> import uhcs_bench
    >>> micrograph = uhcs_bench.load("particles", version="synthetic")["synthetic-particles-00"]
    >>> model = uhcs_bench.segmentation.load("particles", threads=1)
    >>> row, = measure(model.segment(micrograph.image), "particles", micrograph.pixel_size_um)
    >>> row["n_particles"] > 100
    True
    """
    name = protocol.task(task).name
    _check_size(pixel_size_um)
    arguments.check_min_diameter(min_diameter)
    rows = Rows()
    problems: list[str] = []
    for file, content in _named(maps, name):
        try:
            labels = content
            if isinstance(content, Path):
                labels = label_maps.read_map(content, protocol.TASKS[name].classes)
            labels = arguments.as_map(labels, "label map")
            scale = pixel_size.find(
                Path(file), labels.shape, pixel_size_um, is_file=isinstance(content, Path)
            )
            rows.append(row.measure(labels, name, scale, file, min_diameter).row)
        except (UhcsBenchError, ValueError) as error:
            problems.append(_problem(file, error))
    if problems:
        raise UsageError(listed("The maps were not measured", problems))
    return rows


def _problem(file: str, error: Exception) -> str:
    """Return a sentence; the errors of reading are phrases that follow the file's name."""
    text = str(error).removesuffix(".")
    place = file or "The map"
    return f"{place}: {text}." if text[:1].isupper() else f"{place} {text}."


def _check_size(pixel_size_um: object) -> None:
    if pixel_size_um is None:
        return
    if isinstance(pixel_size_um, bool) or not isinstance(pixel_size_um, int | float | np.number):
        raise UsageError(
            f"A pixel size can't be {pixel_size_um!r}. Give the edge of a pixel in micrometres as "
            "a number, or None where it is unknown."
        )
    try:
        um = float(pixel_size_um)
    except OverflowError:  # a whole number of hundreds of digits
        um = math.inf
    pixel_size.check(um)


def _named(maps: Any, task: protocol.TaskName) -> Iterator[tuple[str, Any]]:
    """Go through the maps with their names; files are paths."""
    if not isinstance(maps, str) and isinstance(maps, Mapping | Sequence) and not maps:
        raise UsageError(
            f"There is no map to measure in {maps!r}. Give the path of a file or folder, several "
            "paths, arrays by name ({name: array}), or one array."
        )
    if isinstance(maps, Mapping):
        strange = [name for name in maps if not isinstance(name, str | int | os.PathLike)]
        if strange:
            raise UsageError(f"A map can't be called {strange[0]!r}. Give names as texts.")
        yield from ((str(name), labels) for name, labels in maps.items())
    elif isinstance(maps, str | os.PathLike):
        yield from ((str(path), path) for path in inputs.find([paths.given(maps)], task).files)
    elif _are_paths(maps):
        yield from (
            (str(path), path) for path in inputs.find([*map(paths.given, maps)], task).files
        )
    elif isinstance(maps, np.ndarray | Sequence | memoryview):
        yield "", np.asarray(maps) if isinstance(maps, memoryview) else maps
    else:
        raise UsageError(
            f"Label maps can't be of type {type(maps).__name__}. Give the path of a file or folder,"
            " "
            "several paths, arrays by name ({name: array}), or one array."
        )


def _are_paths(maps: Any) -> bool:
    is_list = isinstance(maps, Sequence) and not isinstance(maps, memoryview) and len(maps) > 0
    return is_list and all(isinstance(path, str | os.PathLike) for path in maps)
