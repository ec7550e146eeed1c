"""Parts that all export formats share: folds, pairs of files, licences, identity of the data.

An export states its data set version and split, and holds the licences and
citations of its micrographs; `uhcs_bench.exporters.formats` lists the formats.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from uhcs_bench.data.dataset import Dataset, Fold
    from uhcs_bench.data.micrograph import Micrograph
    from uhcs_bench.data.registry import Entry, FileKind


KINDS: tuple[FileKind, ...] = ("image", "labels")


@dataclass(frozen=True)
class Usage:
    """Text of a format's README.

    Attributes
    ----------
    title : str
        Name of the format.
    text : str
        Where each file is and which commands come next, in Markdown.
    head : str
        What has to stand above the README's title.
    """

    title: str
    text: str
    head: str = ""


def folds(micrographs: Dataset) -> list[Fold]:
    """Split a data set into all of its folds, in their order.

    Examples
    --------
    >>> from uhcs_bench.data import dataset
    >>> len(folds(dataset.load("particles", version="synthetic")))
    6
    """
    return [micrographs.fold(number) for number in range(micrographs.n_folds)]


def write_png(path: Path, micrograph: Micrograph, kind: FileKind) -> None:
    """Write a micrograph, or its label map, as a gray PNG of 8 bits."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = micrograph.image if kind == "image" else micrograph.labels
    Image.fromarray(pixels).save(path, format="PNG")


def write_pairs(
    micrographs: Dataset, images: Path, labels: Path, *, image_suffix: str = ""
) -> None:
    """Write each micrograph and its label map as PNG, into a folder of each kind.

    Parameters
    ----------
    micrographs : Dataset
    images, labels : Path
        Made where needed. Files are named by the micrograph's id.
    image_suffix : str, optional
        What follows the id in the names of micrographs.
    """
    for micrograph in micrographs:
        write_png(images / f"{micrograph.id}{image_suffix}.png", micrograph, "image")
        write_png(labels / f"{micrograph.id}.png", micrograph, "labels")


def write_text(path: Path, text: str) -> None:
    """Write a text file, in UTF-8 and with the same line ends everywhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any, indent: int | None = 1) -> None:
    """Write a JSON file."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=indent) + "\n")


def rgb(color: str) -> list[int]:
    """Red, green and blue of a colour.

    Examples
    --------
    >>> rgb("#0072b2")
    [0, 114, 178]
    """
    return list(bytes.fromhex(color.removeprefix("#")))


def identity(micrographs: Dataset) -> dict[str, str]:
    """Identify a data set by its task, version, split and data id."""
    return {
        "task": micrographs.task.name,
        "dataset_version": micrographs.version,
        "split": micrographs.split,
        "data_id": micrographs.data_id,
    }


def licence(entry: Entry, kind: FileKind) -> str:
    """Licence of a micrograph's image or label map, as the registry gives it.

    Examples
    --------
    >>> from uhcs_bench.data import dataset
    >>> licence(dataset.catalogue("uhcs")[0], "image")
    'CC BY 3.0 US (https://creativecommons.org/licenses/by/3.0/us/)'
    """
    file = entry.files.get(kind)
    return entry.licence if file is None else file.licence
