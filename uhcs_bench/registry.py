"""What the data sets consist of: every micrograph, its sources, hashes and circumstances.

The registry itself is ``data/registry.json``, written by ``python -m
uhcs_bench.data.generate_registry``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from uhcs_bench import protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

FileKind = Literal["image", "labels"]
DepositKind = Literal["zip", "image", "archive", "page"]
SCHEMA = "uhcs-bench/registry/1"


@dataclass(frozen=True)
class Source:
    """A public file with an image or label map, and the way from it to the canonical array.

    Attributes
    ----------
    url : str
        Address at a pinned commit.
    sha256 : str
        Hash of the file's bytes, in hexadecimal.
    n_bytes : int
        Length of the file.
    rows : tuple of int
        First row of the file's image that is used, and the row after the last.
    missing_rows : int
        Rows of the original above those, which this source has lost. They are filled with the first
        row that is there.
    """

    url: str
    sha256: str
    n_bytes: int
    rows: tuple[int, int]
    missing_rows: int = 0


@dataclass(frozen=True)
class File:
    """An image or a label map: one hash for its pixels, and the sources that have it, best first.

    Attributes
    ----------
    pixel_sha256 : str
        `uhcs_bench.canonical.pixel_sha256` of the canonical array from row `hashed_from_row` on.
    hashed_from_row : int
        Rows above this one are in no known source, so that they can't be checked.
    sources : tuple of Source
    """

    pixel_sha256: str
    hashed_from_row: int
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Deposit:
    """A place for what no source gives; which file there is which micrograph, the pixels say.

    Attributes
    ----------
    kind : {'zip', 'image', 'archive', 'page'}
        A zip of images and label maps; a single image; an index of what an archive has captured
        (see `uhcs_bench.archive.captures`); a repository's page (`uhcs_bench.archive.bitstreams`).
    url : str
    max_bytes : int
        Upper limit of the length of a file there.
    git_blob : str or None
        Git's id of the file, by which it is checked before it is opened; None where nobody has
        recorded any hash of it.
    """

    kind: DepositKind
    url: str
    max_bytes: int
    git_blob: str | None = None


@dataclass(frozen=True)
class PixelSize:
    """How large a pixel is.

    Attributes
    ----------
    um : float or None
        Edge of a pixel in micrometres; None where no trustworthy source says.
    provenance : str
        Where `um` comes from, or why there is none.
    claims : mapping of str to float
        What each source says, in micrometres.
    sources_disagree : bool
        Whether two claims differ by more than the micron bar's reading error (2 %).
    """

    um: float | None
    provenance: str
    claims: Mapping[str, float]
    sources_disagree: bool


@dataclass(frozen=True)
class HeatTreatment:
    """How the sample was annealed and cooled; None where it is not recorded.

    Attributes
    ----------
    sample : str or None
        The sample's label in UHCSDB.
    temperature_c : float or None
        Annealing temperature in degrees Celsius.
    time_h : float or None
        Annealing time in hours.
    cooling : str or None
        UHCSDB's code: Q quenched, WQ water-quenched, AR air-cooled, FC furnace-cooled.
    """

    sample: str | None
    temperature_c: float | None
    time_h: float | None
    cooling: str | None


@dataclass(frozen=True)
class Entry:
    """One micrograph of one task, without its pixels.

    Attributes
    ----------
    task : str
    id : str
        Name of the micrograph, and of a submission's label map for it.
    version : str
        Data set version.
    fold : int
        The validation fold, 0 to 5, that the micrograph belongs to.
    shape : tuple of int
        Rows and columns of image and label map.
    uhcsdb_id : int or None
        Primary key of the micrograph in UHCSDB, where it is known.
    pixel_size : PixelSize
    heat_treatment : HeatTreatment
    licence : str
    citation : tuple of str
        What to cite when the micrograph is used.
    files : mapping of {'image', 'labels'} to File
        Empty for a generated micrograph.
    deposits : tuple of Deposit
        Places to search for what the files' own sources don't give, the most trusted first.
    """

    task: protocol.TaskName
    id: str
    version: protocol.Version
    fold: int
    shape: tuple[int, int]
    uhcsdb_id: int | None
    pixel_size: PixelSize
    heat_treatment: HeatTreatment
    licence: str
    citation: tuple[str, ...]
    files: Mapping[FileKind, File] = field(default_factory=dict)
    deposits: tuple[Deposit, ...] = ()


def entries(task: str) -> tuple[Entry, ...]:
    """List the 24 real micrographs of a task, in the order of the paper's fold file.

    Parameters
    ----------
    task : str
        Name or alias of a task.

    Returns
    -------
    tuple of Entry
        The four micrographs of fold 0, then those of fold 1, and so on.

    Raises
    ------
    UsageError
        If there is no such task.

    Examples
    --------
    >>> [entry.id for entry in entries("particles")][:2]
    ['970C-5M-Q-2', '800C-24H-Q-7']
    """
    name = protocol.task(task).name
    return tuple(entry for entry in _all_entries() if entry.task == name)


@cache
def _all_entries() -> tuple[Entry, ...]:
    text = (resources.files("uhcs_bench") / "data" / "registry.json").read_text(encoding="utf-8")
    registry = json.loads(text)
    return tuple(_entry(record, registry) for record in registry["micrographs"])


def _entry(record: dict[str, Any], registry: dict[str, Any]) -> Entry:
    return Entry(
        task=record["task"],
        id=record["id"],
        version=registry["dataset_version"],
        fold=record["fold"],
        shape=(record["shape"][0], record["shape"][1]),
        uhcsdb_id=record["uhcsdb_id"],
        pixel_size=PixelSize(**record["pixel_size"]),
        heat_treatment=HeatTreatment(**record["heat_treatment"]),
        licence=registry["licences"][record["licence"]],
        citation=tuple(registry["citations"][key] for key in record["citation"]),
        files={"image": _file(record["image"]), "labels": _file(record["labels"])},
        deposits=_deposits(record, registry),
    )


def _file(record: dict[str, Any]) -> File:
    return File(
        pixel_sha256=record["pixel_sha256"],
        hashed_from_row=record["hashed_from_row"],
        sources=tuple(
            Source(
                url=source["url"],
                sha256=source["sha256"],
                n_bytes=source["bytes"],
                rows=(source["rows"][0], source["rows"][1]),
                missing_rows=source["missing_rows"],
            )
            for source in record["sources"]
        ),
    )


def _deposits(record: dict[str, Any], registry: dict[str, Any]) -> tuple[Deposit, ...]:
    name = record["uhcsdb_file"]
    return tuple(
        Deposit(
            kind=deposit["kind"],
            url=deposit["url"] if name is None else deposit["url"].format(uhcsdb_file=name),
            max_bytes=deposit["max_bytes"],
            git_blob=deposit["git_blob"],
        )
        for deposit in registry["deposits"]
        if record["task"] in deposit["tasks"] and (deposit["kind"] != "image" or name is not None)
    )
