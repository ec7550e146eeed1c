"""The data sets as their users see them: micrographs, data sets and folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from uhcs_bench import fetch, protocol, registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from uhcs_bench.registry import Entry, HeatTreatment, PixelSize


@dataclass(frozen=True, eq=False, repr=False)
class Micrograph:
    """An annotated micrograph; nothing in it can be changed.

    Attributes
    ----------
    entry : Entry
        What the registry knows of it: sources, hashes, licence, citation.
    image : ndarray of uint8, shape (rows, columns)
        Gray levels, read-only.
    labels : ndarray of uint8, shape (rows, columns)
        Class labels, positions in the task's ``classes``, read-only.
    filled_rows : tuple of int
        Rows of `image` that its source had lost and that repeat a neighbour.
    sources : tuple of str
        Addresses that image and labels came from; empty for a generated micrograph.
    """

    entry: Entry
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    filled_rows: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Name of the micrograph, and of a submission's label map for it."""
        return self.entry.id

    @property
    def task(self) -> protocol.TaskName:
        """Name of the task."""
        return self.entry.task

    @property
    def version(self) -> protocol.Version:
        """Data set version."""
        return self.entry.version

    @property
    def fold(self) -> int:
        """Validation fold, 0 to 5, that the micrograph belongs to."""
        return self.entry.fold

    @property
    def pixel_size_um(self) -> float | None:
        """Edge of a pixel in micrometres, None where no trustworthy source says."""
        return self.entry.pixel_size.um

    @property
    def pixel_size(self) -> PixelSize:
        """The pixel size with its provenance."""
        return self.entry.pixel_size

    @property
    def heat_treatment(self) -> HeatTreatment:
        """How the sample was annealed and cooled."""
        return self.entry.heat_treatment

    def __repr__(self) -> str:
        rows, columns = self.entry.shape
        where = f"{self.task} {self.version}, fold {self.fold}"
        return f"<Micrograph {self.id}: {where}, {rows}x{columns}>"


class Dataset(Sequence[Micrograph]):
    """Micrographs of one task, in the order of the paper's folds.

    Parameters
    ----------
    task : Task
    version : str
    micrographs : iterable of Micrograph

    Examples
    --------
    >>> dataset = load("particles", version="synthetic")
    >>> len(dataset), dataset[0].id
    (24, 'synthetic-particles-00')
    >>> dataset["synthetic-particles-05"].fold
    1
    """

    def __init__(
        self, task: protocol.Task, version: protocol.Version, micrographs: Iterable[Micrograph]
    ) -> None:
        self.task = task
        self.version = version
        self._micrographs = tuple(micrographs)
        self._by_id = {micrograph.id: micrograph for micrograph in self._micrographs}

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the micrographs."""
        return tuple(self._by_id)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; a class's label is its position."""
        return self.task.classes

    @overload
    def __getitem__(self, key: int | str) -> Micrograph: ...
    @overload
    def __getitem__(self, key: slice) -> Dataset: ...
    def __getitem__(self, key: int | str | slice) -> Micrograph | Dataset:
        """Pick by position, by id, or a slice."""
        if isinstance(key, str):
            return self._by_id[key]
        if isinstance(key, slice):
            return Dataset(self.task, self.version, self._micrographs[key])
        return self._micrographs[key]

    def __len__(self) -> int:
        return len(self._micrographs)

    def __iter__(self) -> Iterator[Micrograph]:
        return iter(self._micrographs)

    def __repr__(self) -> str:
        return f"<Dataset {self.task.name} {self.version}: {len(self)} micrographs>"

    def fold(self, number: int) -> Fold:
        """Split into the training and validation micrographs of a fold.

        Raises
        ------
        UsageError
            If there is no such fold.
        """
        protocol.check_fold(number)
        return Fold(
            number=number,
            train=Dataset(self.task, self.version, (m for m in self if m.fold != number)),
            val=Dataset(self.task, self.version, (m for m in self if m.fold == number)),
        )


@dataclass(frozen=True)
class Fold:
    """One of the six cross-validation splits.

    Attributes
    ----------
    number : int
    train : Dataset
        The 20 micrographs to learn from.
    val : Dataset
        The 4 micrographs to score on, in the paper's order. They may not select anything.
    """

    number: int
    train: Dataset
    val: Dataset


def catalogue(task: str, version: str = protocol.REAL_VERSION) -> tuple[Entry, ...]:
    """List the micrographs of a task without their pixels; nothing is fetched.

    Parameters
    ----------
    task : str
        Name or alias of a task.
    version : str, optional
        Data set version.

    Returns
    -------
    tuple of Entry
        24 entries, in the order of the paper's folds.

    Raises
    ------
    UsageError
        If there is no such task or version.
    """
    if protocol.check_version(version) == protocol.SYNTHETIC_VERSION:
        from uhcs_bench import synthetic

        return synthetic.catalogue(task)
    return registry.entries(task)


@overload
def load(task: str, fold: None = None, version: str = ...) -> Dataset: ...
@overload
def load(task: str, fold: int, version: str = ...) -> Fold: ...
def load(
    task: str, fold: int | None = None, version: str = protocol.REAL_VERSION
) -> Dataset | Fold:
    """Load the micrographs of a task, fetching what the cache does not have.

    Parameters
    ----------
    task : str
        ``"particles"`` (alias ``"spheroidite"``) or ``"microconstituents"`` (alias ``"uhcs"``).
    fold : int, optional
        One of the paper's cross-validation folds, 0 to 5.
    version : str, optional
        ``"1.0"`` is the deposit as the paper used it, ``"synthetic"`` a generated stand-in that
        needs no network.

    Returns
    -------
    Dataset or Fold
        All 24 micrographs; with `fold` its 20 training and 4 validation micrographs.

    Raises
    ------
    UsageError
        If there is no such task, fold or version.
    DataUnavailableError
        If a micrograph could not be had from any source.

    Examples
    --------
    >>> fold = load("particles", fold=2, version="synthetic")
    >>> len(fold.train), len(fold.val)
    (20, 4)
    >>> fold.val[0].image.shape == fold.val[0].labels.shape
    True
    """
    entries = catalogue(task, version)
    if fold is not None:
        protocol.check_fold(fold)
    dataset = Dataset(protocol.task(task), protocol.check_version(version), micrographs(entries))
    return dataset if fold is None else dataset.fold(fold)


def micrographs(entries: Sequence[Entry]) -> tuple[Micrograph, ...]:
    """Load the micrographs that the catalogue lists, fetching what the cache does not have.

    Raises
    ------
    DataUnavailableError
        If a micrograph could not be had from any source.
    """
    fetch.fetch(entry for entry in entries if entry.files)
    return tuple(_micrograph(entry) for entry in entries)


def _micrograph(entry: Entry) -> Micrograph:
    if entry.files:
        pixels = fetch.read(entry)
        return Micrograph(entry, pixels.image, pixels.labels, pixels.filled_rows, pixels.sources)
    from uhcs_bench import synthetic

    image, labels = synthetic.generate(entry)
    image.flags.writeable = labels.flags.writeable = False
    return Micrograph(entry, image, labels)
