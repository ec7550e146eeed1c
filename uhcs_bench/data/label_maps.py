"""Read, check and write label maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.io import images
from uhcs_bench.io.atomic import make_folder, replacing
from uhcs_bench.metallography.arguments import micrograph_hint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.data.registry import Entry


MAP_SUFFIXES = (".png", ".tif", ".tiff", ".npy")
"""What a file with a label map may be called."""


OTHER_SUFFIXES = (".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".npz", ".mat")


DATA_BAR_ROWS = 38
"""Rows of the data bar below the micrographs of UHCSDB."""


def read_map(path: Path, classes: Sequence[str], page: int | None = None) -> NDArray[np.uint8]:
    """Read one label map of any size, and check it.

    Parameters
    ----------
    path : Path
        PNG, TIFF or NPY, see `uhcs_bench.io.images.read_image`: gray values, or the indices of a
        palette.
    classes : sequence of str
        Names of the labels from 0 on.
    page : int, optional
        Which of several maps in the file, from 1 on.

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

    return _check_labels(images.read_image(path, check, kind="labels", page=page), classes)


def write_label_map(path: Path, labels: NDArray[np.integer]) -> None:
    """Write a label map as the file of a submission, a gray PNG of the class labels.

    Folders are made where needed; the file is written in one step.

    Parameters
    ----------
    path : Path
        Ends in ``<id>.png``.
    labels : ndarray of integers, shape (rows, columns)
        Class labels.
    """
    from PIL import Image

    make_folder(path.parent)
    with replacing(path) as partial:
        Image.fromarray(labels.astype(np.uint8)).save(partial, format="PNG", optimize=True)


def read_label_map(content: Path | ArrayLike, entry: Entry) -> NDArray[np.uint8]:
    """Read one map and check it.

    Parameters
    ----------
    content : Path, array_like, PIL image or PyTorch tensor
        A tensor may be on any device and may have gradients; of a palette image the indices count.
    entry : Entry
        The micrograph that the map is for.

    Returns
    -------
    ndarray of uint8, shape (rows, columns)
        Class labels.

    Raises
    ------
    ImageError
        If anything is wrong; the message is a phrase that follows the file's name or id.
    """
    if isinstance(content, Path):
        array = images.read_image(
            content, lambda header: _check_header(header, entry), kind="labels"
        )
    else:
        array = _array(content)
        while array.ndim > 2 and 1 in array.shape:
            array = array.squeeze(axis=array.shape.index(1))
        _check_header(images.Header(array.shape, array.dtype, "gray"), entry)
    return _check_labels(array, protocol.TASKS[entry.task].classes)


def _array(content: Any) -> NDArray[np.generic]:
    """Turn what people have for a map into an array."""
    if isinstance(content, np.ma.MaskedArray):
        raise images.ImageError(
            "is a masked array, whose masked pixels have no class; give every pixel one, for "
            "example labels.filled(0)"
        )
    if hasattr(content, "detach") and hasattr(content, "cpu"):  # a tensor, without a need of torch
        return _of_tensor(content)
    try:
        array = np.asarray(content)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise images.ImageError(f"can't be turned into an array ({reason})") from error
    if array.ndim == 0:
        raise images.ImageError(
            f"can't be turned into an array, it is of type {type(content).__name__}; "
            "give an array, a PIL image, a tensor or the path of a file"
        )
    return _of_planes(array) if hasattr(content, "getbands") else array


def _of_tensor(tensor: Any) -> NDArray[np.generic]:
    try:
        return np.asarray(tensor.detach().cpu().numpy())
    except (TypeError, ValueError, RuntimeError) as error:  # such as bfloat16, sparse or meta
        reason = " ".join(str(error).split())
        raise images.ImageError(
            f"is a tensor that NumPy can't hold ({reason}); give class labels, "
            ".to(torch.uint8).detach().cpu().numpy()"
        ) from error


def _of_planes(planes: NDArray[np.generic]) -> NDArray[np.generic]:
    """Give the labels of a PIL image whose colour planes are equal."""
    if planes.ndim == 3:
        if not (planes == planes[..., :1]).all():
            raise images.ImageError(
                "is a colour image; give the class labels themselves as a gray image (mode L)"
            )
        return np.asarray(planes[..., 0])
    return planes


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
    values, counts = np.unique(labels, return_counts=True)
    hint = _hint(values, counts, len(classes))
    if not hint and (other := micrograph_hint(labels, len(classes))):
        hint = f"; {other}"
    if values.tolist() in ([0, 255], [255]) and len(classes) == 2:
        raise images.ImageError(
            f"is a 0/255 mask, but 255 is not a class; the classes are {listing}{hint}"
        )
    wrong = (labels < 0) | (labels >= len(classes))
    row, column = (int(index) for index in np.argwhere(wrong)[0])
    raise images.ImageError(
        f"holds the value {array[row, column]} at row {row}, column {column}, "
        f"and {int(wrong.sum())} such pixels in all; the classes are {listing}{hint}"
    )


_IGNORED = (-1, 255)
"""Labels that other tools leave out of training and scores."""

_MOSTLY = 0.9


def _hint(values: NDArray[np.integer], counts: NDArray[np.int64], n_classes: int) -> str:
    """Guess from the values where labels come from that are no classes, and what to do."""
    found = [int(value) for value in values]
    # Gray levels spread evenly, such as 0, 128 or 0, 85, 170, 255.
    step = next((value for value in found if value > 0), 0)
    if step >= n_classes and all(v in {step * k for k in range(n_classes)} for v in found):
        return f": divide by {step}"
    outside = [value for value in found if not 0 <= value < n_classes]
    if len(outside) == 1 and outside[0] in _IGNORED:
        return (
            f": {outside[0]} seems to mark pixels to ignore, but every pixel is scored; predict a "
            "class for each"
        )
    if found[0] == 1 and found[-1] == n_classes:
        return ": these labels seem to start at 1, subtract 1"
    if found == list(range(len(found))) and n_classes == 2:
        return (
            ": these seem to be numbers of single particles (instance ids); save particle or not, "
            "label_map > 0"
        )
    if _is_blurred(values, counts, n_classes):
        return (
            ": most pixels are near a few values, as after lossy compression (JPEG) or "
            "interpolation; save the labels without loss and resize by nearest neighbours"
        )
    return ""


def _is_blurred(values: NDArray[np.integer], counts: NDArray[np.int64], n_classes: int) -> bool:
    """Tell whether most pixels lie at the classes' evenly spread levels, and others between."""
    highest = float(values[-1])  # unsigned numbers of 64 bits are too large for NumPy's integers
    if len(values) <= 2 * n_classes or values[0] < 0:
        return False
    levels = np.arange(n_classes) * highest / (n_classes - 1)
    near = np.abs(values[:, np.newaxis] - levels).min(1) <= max(highest // 16, 1.0)
    return bool(counts[near].sum() >= _MOSTLY * counts.sum())
