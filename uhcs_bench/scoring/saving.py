"""Write predicted label maps as the files of a submission."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench.data.label_maps import read_label_map, write_label_map
from uhcs_bench.errors import SubmissionError, UsageError, things
from uhcs_bench.io import images, paths
from uhcs_bench.scoring.submission import _expanded, _IdResolver, entries_by_id

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def save_predictions(
    maps: Mapping[str, ArrayLike],
    folder: str | os.PathLike[str],
    version: str = protocol.REAL_VERSION,
) -> Path:
    """Write predicted label maps as a submission: ``<folder>/<task>/<id>.png``.

    Parameters
    ----------
    maps : mapping of str to array_like of integers, shape (rows, columns)
        Label maps by the micrographs' ids, of one task or both, of some folds or all.
    folder : path
        Made where needed. Maps that uhcs-bench has written there are replaced; there is a warning
        if others of an earlier program are left beside them, since both are scored together.
    version : str, optional
        Data set version that the maps are for.

    Returns
    -------
    Path
        `folder`, which `score` and ``uhcs-bench score`` take.

    Raises
    ------
    SubmissionError
        If anything is wrong with a map; it lists all problems, and nothing is written.
    UsageError
        If `maps` is no mapping or holds nothing, or there is no such version.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import uhcs_bench
    >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
    >>> with TemporaryDirectory() as folder:
    ...     saved = save_predictions({m.id: m.labels for m in fold.val}, folder, "synthetic")
    ...     uhcs_bench.score(saved, fold=2, version="synthetic")
    <Report synthetic, split paper; particles: n = 4, IU 100.0, AC 100.0 %>
    """
    if not isinstance(maps, Mapping):
        raise UsageError(
            f"The maps can't be of type {type(maps).__name__}. Give them by micrograph id, "
            "{id: map}."
        )
    if not isinstance(folder, str | os.PathLike):
        raise UsageError(f"The folder can't be {folder!r}. Give the path of a folder.")
    root = paths.given(folder)
    if root.is_file():
        raise UsageError(f"{folder} is a file. Nothing was saved. Give the path of a folder.")
    if not maps:
        raise UsageError("There is no map to save. Give at least one, {id: map}.")
    mixed = write(maps, root, version)
    if mixed:
        warnings.warn(
            f"{folder} holds {things(len(mixed), 'map')} of an earlier program beside those that "
            f"were replaced, {mixed[0].name} the first. They are scored together; save all maps "
            "of a method to a folder of its own.",
            stacklevel=2,
        )
    return root


_SAVED: set[Path] = set()
"""What this program has saved, so that it may save one method's maps fold by fold."""


def write(maps: Mapping[str, ArrayLike], root: Path, version: str) -> list[Path]:
    """Write label maps as `save_predictions` does.

    Parameters
    ----------
    maps : mapping of str to array_like
    root : Path
    version : str

    Returns
    -------
    list of Path
        Maps of an earlier program that are beside replaced ones of theirs.

    Raises
    ------
    SubmissionError, UsageError
        As `save_predictions`.
    """
    places = {
        paths.real(root / path): labels
        for path, labels in _checked(maps, protocol.check_version(version)).items()
    }
    earlier = {
        path
        for folder in {place.parent for place in places}
        for path in folder.glob("*.png")
        if path not in _SAVED
    }
    for place, labels in places.items():
        write_label_map(place, labels)
    _SAVED.update(places)
    return sorted(earlier - places.keys()) if earlier & places.keys() else []


def _checked(
    maps: Mapping[str, ArrayLike], version: protocol.Version
) -> dict[Path, NDArray[np.uint8]]:
    entries = entries_by_id(version)
    resolver = _IdResolver(version)
    problems = []
    checked = {}
    for name, content in maps.items():
        entry = entries.get(name)
        if entry is None:
            problems.append(f"{name}: {resolver.advice(str(name))}")
            continue
        try:
            checked[Path(entry.task) / f"{name}.png"] = read_label_map(_expanded(content), entry)
        except images.ImageError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise SubmissionError("The submission", problems, "saved")
    return checked
