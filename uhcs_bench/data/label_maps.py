"""Read, check and write label maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.io import images
from uhcs_bench.io.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.data.registry import Entry


MAP_SUFFIXES = (".png", ".tif", ".tiff", ".npy")
"""What a file with a label map may be called."""


OTHER_SUFFIXES = (".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".npz", ".mat")


DATA_BAR_ROWS = 38
"""Rows of the data bar below the micrographs of UHCSDB."""


def read_map(path: Path, classes: Sequence[str]) -> NDArray[np.uint8]:
    """Read one label map of any size, and check it.

    Parameters
    ----------
    path : Path
        PNG, TIFF or NPY, see `uhcs_bench.io.images.read_image`: gray values, or the indices of a
        palette.
    classes : sequence of str
        Names of the labels from 0 on.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)

    Raises
    ------
    ImageError
        If it can't be decoded, is no gray image, holds no pixels, or a label is outside the
        classes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "map.png"
    ...     write_label_map(path, np.eye(2, dtype=np.uint8))
    ...     read_map(path, ("matrix", "particle"))
    array([[1, 0],
           [0, 1]], dtype=uint8)
    """

    def check(header: images.Header) -> None:
        if _image_shape(header) is None:
            described = ", ".join(map(str, header.shape))
            raise images.ImageError(f"has the shape ({described}), expected rows and columns")
        if 0 in header.shape:
            raise images.ImageError("holds no pixels")

    return _check_labels(images.read_image(path, check, kind="labels"), classes)


def read_label_map(path: Path, entry: Entry) -> NDArray[np.uint8]:
    """Read and check one label map, whatever its file is called.

    Parameters
    ----------
    path : Path
    entry : Entry
        The micrograph that the map is for.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        Class labels.

    Raises
    ------
    ImageError
        If anything is wrong; the message is a phrase that follows the file's name.
    """
    return label_map(path, entry)


def write_label_map(path: Path, labels: NDArray[np.integer]) -> None:
    """Write a label map as the file of a submission, a gray PNG of the class labels.

    Folders are made where needed, and the file appears whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``<id>.png``.
    labels : ndarray of integers, shape (rows, columns)
        Class labels.
    """
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        Image.fromarray(labels.astype(np.uint8)).save(partial, format="PNG", optimize=True)


def label_map(content: Path | ArrayLike, entry: Entry) -> NDArray[np.uint8]:
    """Read one map and check it; what is wrong is raised as `ImageError`."""
    if isinstance(content, Path):
        array = images.read_image(
            content, lambda header: _check_header(header, entry), kind="labels"
        )
    else:
        if isinstance(content, np.ma.MaskedArray):
            raise images.ImageError(
                "is a masked array, whose masked pixels have no class; give every pixel one, for "
                "example labels.filled(0)"
            )
        array = np.asarray(content)
        while array.ndim > 2 and 1 in array.shape:
            array = array.squeeze(axis=array.shape.index(1))
        _check_header(images.Header(array.shape, array.dtype, "gray"), entry)
    return _check_labels(array, protocol.TASKS[entry.task].classes)


def _image_shape(header: images.Header) -> tuple[int, ...] | None:
    """Give rows and columns of what may be one gray image; equal colour planes are one."""
    may_be_gray = header.color != "gray" or header.shape[2:] == (2,)  # with a transparency
    return header.shape[:2] if len(header.shape) == 2 or may_be_gray else None


def _check_header(header: images.Header, entry: Entry) -> None:
    rows, columns = entry.shape
    found = _image_shape(header) or header.shape
    if found == entry.shape:
        return
    expected = f"expected ({rows}, {columns})"
    described = f"({', '.join(map(str, found))})"
    if found == (rows + DATA_BAR_ROWS, columns):
        raise images.ImageError(
            f"has {rows + DATA_BAR_ROWS} rows, {expected}: "
            f"crop the {DATA_BAR_ROWS}-row data bar, label_map[:{rows}]"
        )
    if len(found) != 2:
        hint = "class scores need an argmax over the class axis first"
        raise images.ImageError(f"has the shape {described}, {expected}: {hint}")
    if found == (columns, rows):
        raise images.ImageError(f"has the shape {described}, {expected}: transpose it")
    raise images.ImageError(
        f"has the shape {described}, {expected}: predict at the micrograph's own size, "
        "or resize back with nearest neighbours"
    )


def _check_labels(array: NDArray[np.generic], classes: Sequence[str]) -> NDArray[np.uint8]:
    listing = ", ".join(f"{label} {name}" for label, name in enumerate(classes))
    if array.dtype.kind not in "biu":
        if array.dtype.kind == "f" and np.isnan(array).any():
            count = int(np.isnan(array).sum())
            raise images.ImageError(
                f"holds NaN in {count} pixels; give every pixel a class ({listing}) "
                "and save whole numbers, such as uint8"
            )
        raise images.ImageError(
            f"holds {array.dtype.name} values; "
            f"save class labels ({listing}) as whole numbers, such as uint8"
        )
    labels = cast("NDArray[np.integer]", array)
    if labels.min() >= 0 and labels.max() < len(classes):
        return labels.astype(np.uint8)
    wrong = (labels < 0) | (labels >= len(classes))
    values = np.unique(labels)
    if values.tolist() == [0, 255] or values.tolist() == [255]:
        raise images.ImageError(
            f"is a 0/255 mask, but 255 is not a class; the classes are {listing}: divide by 255"
        )
    row, column = (int(index) for index in np.argwhere(wrong)[0])
    text = (
        f"holds the value {array[row, column]} at row {row}, column {column}, "
        f"and {int(wrong.sum())} such pixels in all; the classes are {listing}"
    )
    if values.min() == 1 and values.max() == len(classes):
        text += ": these labels seem to start at 1, subtract 1"
    raise images.ImageError(text)
