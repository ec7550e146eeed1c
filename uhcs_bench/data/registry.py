"""What the data sets consist of: every micrograph, its sources, hashes and circumstances.

The registry itself is ``data/registry.json``, written by ``python -m
tools.write_registry``. Splits other than the paper's are ``data/splits.json``, the
audited version is what ``data/corrections.json`` makes of the deposit; both are written from what
`uhcs_bench.auditing.audit` measures, by ``tools/write_splits.py`` and
``tools/write_corrections.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from uhcs_bench import protocol
from uhcs_bench.formatting import abbreviated
from uhcs_bench.io.texts import packaged

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
        `uhcs_bench.data.pixels.pixel_sha256` of the canonical array from row `hashed_from_row` on.
    hashed_from_row : int
        Rows above this one are in no known source, so that they can't be checked.
    sources : tuple of Source
    licence : str
        Of this file: that of UHCSDB for its micrographs, that of the annotated set for the rest.
    """

    pixel_sha256: str
    hashed_from_row: int
    sources: tuple[Source, ...]
    licence: str


@dataclass(frozen=True)
class Deposit:
    """A place for what no source gives; which file there is which micrograph, the pixels say.

    Attributes
    ----------
    kind : {'zip', 'image', 'archive', 'page'}
        A zip of images and label maps; a single image; an index of what an archive has captured
        (see `uhcs_bench.data.download.listings.captures`); a repository's page
        (`uhcs_bench.data.download.listings.bitstreams`).
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
class Correction:
    """What moves a misplaced label map into place; see `uhcs_bench.data.corrections`.

    Attributes
    ----------
    shifts : tuple of (int, int)
        First row of the corrected map to which a shift applies, and the shift: rows down, from
        there to the next such row.
    pixel_sha256 : str
        `uhcs_bench.data.pixels.pixel_sha256` of the corrected map.
    """

    shifts: tuple[tuple[int, int], ...]
    pixel_sha256: str


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
        The validation fold of its split that the micrograph belongs to.
    shape : tuple of int
        Rows and columns of image and label map.
    uhcsdb_id : int or None
        Primary key of the micrograph in UHCSDB, where it is known.
    pixel_size : PixelSize
    heat_treatment : HeatTreatment
    licence : str
        Of image and labels together, as the annotated set gives it; `File.licence` has each one's.
    citation : tuple of str
        What to cite when the micrograph is used.
    files : mapping of {'image', 'labels'} to File
        Empty for a generated micrograph.
    deposits : tuple of Deposit
        Places to search for what the files' own sources don't give, the most trusted first.
    correction : Correction or None
        What is done to the label map of the files when it is loaded; in the audited version alone.
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
    correction: Correction | None = None

    __repr__ = abbreviated

    @property
    def source_version(self) -> protocol.Version:
        """Data set version whose files, in the cache too, this one is made of."""
        return protocol.REAL_VERSION if self.files else self.version

    @property
    def labels_sha256(self) -> str | None:
        """Hash of the label map's pixels as it is loaded; None for a generated micrograph."""
        if self.correction is not None:
            return self.correction.pixel_sha256
        return self.files["labels"].pixel_sha256 if self.files else None


def entries(
    task: str,
    version: protocol.Version = protocol.REAL_VERSION,
    split: protocol.Split = protocol.PAPER_SPLIT,
) -> tuple[Entry, ...]:
    """List the real micrographs of a task in the order of the folds.

    Parameters
    ----------
    task : str
        Name or alias of a task.
    version : {'1.0', 'audited'}, optional
    split : {'paper', 'clean', 'grouped'}, optional

    Returns
    -------
    tuple of Entry
        The micrographs of fold 0, then those of fold 1, and so on: 24 in the paper's split, each
        fold in the order of the paper's fold file.

    Raises
    ------
    UsageError
        If there is no such task.

    Examples
    --------
    >>> [entry.id for entry in entries("particles")][:2]
    ['970C-5M-Q-2', '800C-24H-Q-7']
    >>> len(entries("particles", split="clean"))
    19
    """
    return _entries(protocol.task(task).name, version, split)


@cache
def _entries(
    task: protocol.TaskName, version: protocol.Version, split: protocol.Split
) -> tuple[Entry, ...]:
    listed = [entry for entry in _all_entries() if entry.task == task]
    if version == protocol.AUDITED_VERSION:
        corrections = _corrections(task)
        listed = [
            replace(entry, version=version, correction=corrections.get(entry.id))
            for entry in listed
        ]
    if split != protocol.PAPER_SPLIT:
        by_id = {entry.id: entry for entry in listed}
        listed = [
            replace(by_id[id_], fold=fold)
            for fold, ids in enumerate(_read("splits.json")["splits"][task][split])
            for id_ in ids
        ]
    return tuple(listed)


def training_order(task: str, split: protocol.Split, fold: int) -> tuple[str, ...]:
    """List training micrographs of a fold in the order in which they join a subset.

    Parameters
    ----------
    task : str
        Name or alias of a task.
    split : {'paper', 'clean', 'grouped'}
    fold : int

    Returns
    -------
    tuple of str
        Ids, 16 at most; see `uhcs_bench.data.splits.training_order`.

    Examples
    --------
    >>> training_order("particles", "paper", 0)[:2]
    ('800C-24H-Q-1', '970C-5M-Q-4')
    """
    orders = _read("splits.json")["training_orders"][protocol.task(task).name][split]
    return tuple(orders[fold])


def _corrections(task: protocol.TaskName) -> dict[str, Correction]:
    return {
        id_: Correction(
            shifts=tuple((row, shift) for row, shift in record["shifts"]),
            pixel_sha256=record["pixel_sha256"],
        )
        for id_, record in _read("corrections.json")["corrections"][task].items()
    }


@cache
def _all_entries() -> tuple[Entry, ...]:
    registry = _read("registry.json")
    return tuple(_entry(record, registry) for record in registry["micrographs"])


def _read(name: str) -> Any:
    return json.loads(packaged(f"data/{name}"))


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
        files={
            "image": _file(record["image"], registry["licences"]),
            "labels": _file(record["labels"], registry["licences"]),
        },
        deposits=_deposits(record, registry),
    )


def _file(record: dict[str, Any], licences: Mapping[str, str]) -> File:
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
        licence=licences[record["licence"]],
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
