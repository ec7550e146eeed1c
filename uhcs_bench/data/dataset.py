"""Data sets and folds: load them, and pick micrographs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from uhcs_bench import formatting, protocol
from uhcs_bench.data import registry, splits
from uhcs_bench.data.download import fetch
from uhcs_bench.data.micrograph import Micrograph
from uhcs_bench.errors import MissingItemError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from uhcs_bench.data.download.fetch import Pixels
    from uhcs_bench.data.registry import Entry
    from uhcs_bench.data.torch_dataset import TorchDataset
    from uhcs_bench.web.notebook import HtmlTable

_DATA_ID_DIGITS = 8


class Dataset(Sequence[Micrograph]):
    """Micrographs of one task, in the order of their split's folds.

    Parameters
    ----------
    task : Task
    version : str
    micrographs : iterable of Micrograph
    split : str, optional

    Examples
    --------
    >>> dataset = load("particles", version="synthetic")
    >>> len(dataset), dataset[0].id
    (24, 'synthetic-particles-00')
    >>> dataset["synthetic-particles-05"].fold
    1
    >>> "synthetic-particles-05" in dataset, len(dataset[:5])
    (True, 5)
    """

    def __init__(
        self,
        task: protocol.Task,
        version: protocol.Version,
        micrographs: Iterable[Micrograph],
        split: protocol.Split = protocol.PAPER_SPLIT,
    ) -> None:
        self.task = task
        self.version = version
        self.split = split
        self._micrographs = tuple(micrographs)
        self._by_id = {micrograph.id: micrograph for micrograph in self._micrographs}

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the micrographs."""
        return tuple(self._by_id)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; a class's label is its position."""
        return self.task.classes

    @property
    def n_folds(self) -> int:
        """Number of folds of the whole split."""
        return n_folds(self.task.name, self.version, self.split)

    @property
    def data_id(self) -> str:
        """Identifier of these annotations in these folds. Every score holds it.

        It ends in the first digits of a hash over the micrographs' ids, folds and label maps.

        Examples
        --------
        >>> load("particles", version="synthetic").data_id.rpartition("-")[0]
        'particles-synthetic-paper'
        """
        digest = hashlib.sha256()
        for micrograph in self:
            labels = micrograph.entry.labels_sha256
            if labels is None:
                from uhcs_bench.data import pixels as canonical

                labels = canonical.pixel_sha256(micrograph.labels)
            digest.update(f"{micrograph.id} {micrograph.fold} {labels}\n".encode())
        digits = digest.hexdigest()[:_DATA_ID_DIGITS]
        return f"{self.task.name}-{self.version}-{self.split}-{digits}"

    @overload
    def __getitem__(self, key: int | str) -> Micrograph: ...
    @overload
    def __getitem__(self, key: slice) -> Dataset: ...
    def __getitem__(self, key: int | str | slice) -> Micrograph | Dataset:
        """Pick a micrograph by position or id, or a part of the data set by a slice.

        Raises
        ------
        MissingItemError
            If there is no such micrograph.
        """
        try:
            if isinstance(key, str):
                return self._by_id[key]
            if isinstance(key, slice):
                return Dataset(self.task, self.version, self._micrographs[key], self.split)
            return self._micrographs[key]
        except (LookupError, TypeError) as error:
            raise MissingItemError(self._missing(key)) from error

    def _missing(self, key: object) -> str:
        fact = f"There is no micrograph {key!r} among the {len(self)} of {self.task.name}."
        if isinstance(key, str):
            return f"{fact} The ids are {', '.join(self.ids)}."
        return f"{fact} Give an id, or a position from 0 to {len(self) - 1}."

    def __contains__(self, key: object) -> bool:
        """Whether a micrograph, or one of this id, is in the data set."""
        if isinstance(key, str):
            return key in self._by_id
        return any(micrograph is key for micrograph in self._micrographs)

    def __len__(self) -> int:
        return len(self._micrographs)

    def __iter__(self) -> Iterator[Micrograph]:
        return iter(self._micrographs)

    def to_torch(self, transform: Callable[..., Any] | None = None) -> TorchDataset:
        """Return the micrographs as a data set of PyTorch.

        Parameters
        ----------
        transform : callable, optional
            Of ``torchvision.transforms.v2``: called with image and mask, gives both back.

        Returns
        -------
        uhcs_bench.data.torch_dataset.TorchDataset

        Raises
        ------
        MissingPackageError
            If PyTorch or torchvision is not installed.
        """
        from uhcs_bench.data.torch_dataset import TorchDataset

        return TorchDataset(self, transform)

    def _repr_html_(self) -> str:
        from uhcs_bench.web import notebook

        return notebook.html(repr(self).strip("<>"), tables=[_html_table(self)])

    def __repr__(self) -> str:
        name = f"{self.task.name} {self.version}, split {self.split}"
        return f"<Dataset {name}: {len(self)} micrographs>"

    def fold(self, number: int) -> Fold:
        """Split into the training and validation micrographs of a fold.

        Raises
        ------
        UsageError
            If there is no such fold.
        """
        number = check_fold(number, self.task.name, self.version, self.split)
        train, val = (
            Dataset(
                self.task,
                self.version,
                (m for m in self if (m.fold == number) == is_validated),
                self.split,
            )
            for is_validated in (False, True)
        )
        return Fold(number, train, val)


@dataclass(frozen=True)
class Fold:
    """One of the cross-validation folds.

    Attributes
    ----------
    number : int
    train : Dataset
        The micrographs to learn from, those of all other folds: 20 in the paper's split.
    val : Dataset
        The micrographs to score on, in the paper's order: 4 in the paper's split. They may not
        select anything.
    """

    number: int
    train: Dataset
    val: Dataset

    def subset(self, size: int) -> Fold:
        """Give the fold with some of its training micrographs, for curves of label efficiency.

        The subsets are fixed and nested: each holds all smaller ones. See
        `uhcs_bench.data.splits.training_order`.

        Parameters
        ----------
        size : {1, 2, 4, 8, 16}
            Number of training micrographs.

        Returns
        -------
        Fold

        Raises
        ------
        UsageError
            If there is no subset of this size, or the fold has fewer training micrographs.

        Examples
        --------
        >>> fold = load("particles", fold=2, version="synthetic")
        >>> fold.subset(2).train.ids
        ('synthetic-particles-14', 'synthetic-particles-18')
        >>> set(fold.subset(2).train.ids) < set(fold.subset(4).train.ids)
        True
        """
        order = training_order(self.train, self.number)
        sizes = [n for n in splits.TRAIN_SIZES if n <= len(order)]
        if size not in sizes:
            raise UsageError(
                f"There is no subset of {size} training micrographs: fold {self.number} of "
                f"{self.train.task.name}, split {self.train.split}, has {len(self.train)}, and the "
                f"subsets have {', '.join(map(str, sizes))}."
            )
        chosen = set(order[:size])
        return Fold(
            self.number,
            Dataset(
                self.train.task,
                self.train.version,
                (m for m in self.train if m.id in chosen),
                self.train.split,
            ),
            self.val,
        )

    def __repr__(self) -> str:
        name = f"{self.val.task.name} {self.val.version}, split {self.val.split}"
        return f"<Fold {self.number} of {name}: {len(self.train)} train, {len(self.val)} val>"

    def _repr_html_(self) -> str:
        from uhcs_bench.web import notebook

        ids = ", ".join(self.train.ids)
        train = f"train: {len(self.train)} micrographs of the other folds: {ids}"
        caption = f"val: {len(self.val)} micrographs, which may not select anything"
        title = f"Fold {self.number} of {self.val.task.name} {self.val.version}"
        facts = [f"split {self.val.split}"]
        return notebook.html(
            title, facts, tables=[_html_table(self.val, caption)], sentences=[train]
        )


def training_order(train: Dataset, fold: int) -> tuple[str, ...]:
    """List a fold's training micrographs in the order in which they join a subset.

    Parameters
    ----------
    train : Dataset
        The training micrographs of the fold, all or some.
    fold : int

    Returns
    -------
    tuple of str
        Ids, 16 at most.
    """
    if train.version == protocol.SYNTHETIC_VERSION:
        return tuple(splits.training_order(train.ids, fold))
    order = registry.training_order(train.task.name, train.split, fold)
    return tuple(name for name in order if name in train.ids)


def _html_table(dataset: Dataset, caption: str = "") -> HtmlTable:
    """List micrographs with thumbnails, for a notebook."""
    from uhcs_bench.data.facts import heat_treatment
    from uhcs_bench.web import notebook, pictures

    rows: list[list[str | notebook.Panel]] = []
    for micrograph in dataset:
        counts = np.bincount(micrograph.labels.ravel(), minlength=len(dataset.classes))
        size, pixel = micrograph.entry.shape, micrograph.pixel_size_um
        rows.append(
            [
                micrograph.id,
                notebook.Panel(micrograph.id, pictures.thumbnail(micrograph.image)),
                str(micrograph.fold),
                f"{size[0]} x {size[1]}",
                "unknown" if pixel is None else f"{pixel:g}",
                heat_treatment(micrograph.heat_treatment) or "not recorded",
                *(formatting.percent(count / counts.sum()) for count in counts.tolist()),
            ]
        )
    headers = ["id", "micrograph", "fold", "rows x columns", "pixel, µm", "heat treatment"]
    return notebook.HtmlTable(headers + [f"{name}, %" for name in dataset.classes], rows, caption)


def catalogue(
    task: str, version: str = protocol.REAL_VERSION, split: str = protocol.PAPER_SPLIT
) -> tuple[Entry, ...]:
    """List the micrographs of a task without their pixels; nothing is fetched.

    Parameters
    ----------
    task : str
        Name or alias of a task.
    version : str, optional
        Data set version.
    split : str, optional
        Which micrographs, in which folds. No two synthetic micrographs are of one sample, so that
        all splits of the synthetic version are the paper's.

    Returns
    -------
    tuple of Entry
        In the order of the folds; 24 in the paper's split.

    Raises
    ------
    UsageError
        If there is no such task, version or split.
    """
    version, split = protocol.check_version(version), protocol.check_split(split)
    if version == protocol.SYNTHETIC_VERSION:
        from uhcs_bench.data import synthetic

        return synthetic.catalogue(task)
    return registry.entries(task, version, split)


def n_folds(
    task: str, version: str = protocol.REAL_VERSION, split: str = protocol.PAPER_SPLIT
) -> int:
    """Return the number of folds of a split.

    Examples
    --------
    >>> n_folds("particles"), n_folds("particles", split="grouped")
    (6, 5)
    """
    return 1 + max(entry.fold for entry in catalogue(task, version, split))


def check_fold(fold: int, task: str, version: str, split: str) -> int:
    """Give back a fold number if the split has such a fold.

    Raises
    ------
    UsageError
        If it has not, or there is no such task, version or split.
    """
    place = "" if split == protocol.PAPER_SPLIT else f" in split {split} of {task}"
    return protocol.check_fold(fold, n_folds(task, version, split), place)


@overload
def load(task: str, fold: None = None, version: str = ..., split: str = ...) -> Dataset: ...
@overload
def load(task: str, fold: int, version: str = ..., split: str = ...) -> Fold: ...
def load(
    task: str,
    fold: int | None = None,
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
) -> Dataset | Fold:
    """Load the micrographs of a task, fetching what the cache does not have.

    Parameters
    ----------
    task : str
        ``"particles"`` (alias ``"spheroidite"``) or ``"microconstituents"`` (alias ``"uhcs"``).
    fold : int, optional
        One of the split's cross-validation folds, 0 to 5 in the paper's.
    version : str, optional
        ``"1.0"`` is the deposit as the paper used it, ``"audited"`` the same with misplaced
        particle label maps moved into place, ``"synthetic"`` a generated stand-in that needs no
        network.
    split : str, optional
        ``"paper"`` for the paper's folds. ``"clean"`` leaves out, in training too, micrographs that
        show what another fold shows; ``"grouped"`` deals the rest anew, so that no heat-treated
        sample stands in two folds.

    Returns
    -------
    Dataset or Fold
        All micrographs of the split, 24 in the paper's; with `fold` those to train on (20) and
        those to validate on (4).

    Raises
    ------
    UsageError
        If there is no such task, fold, version or split.
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
    entries = catalogue(task, version, split)
    if fold is not None:
        check_fold(fold, task, version, split)
    dataset = Dataset(
        protocol.task(task),
        protocol.check_version(version),
        micrographs(entries),
        protocol.check_split(split),
    )
    return dataset if fold is None else dataset.fold(fold)


def micrographs(entries: Sequence[Entry]) -> tuple[Micrograph, ...]:
    """Load the micrographs that the catalogue lists, fetching what the cache does not have.

    Raises
    ------
    DataUnavailableError
        If a micrograph could not be had from any source.
    """
    loaded = iter(fetch.load([entry for entry in entries if entry.files]))
    return tuple(_micrograph(entry, next(loaded) if entry.files else None) for entry in entries)


def _micrograph(entry: Entry, pixels: Pixels | None) -> Micrograph:
    if pixels is not None:
        labels = pixels.labels
        filled_label_rows: tuple[int, ...] = ()
        if entry.correction is not None:
            from uhcs_bench.data import corrections

            labels, filled_label_rows = corrections.corrected(pixels.labels, entry)
        return Micrograph(
            entry, pixels.image, labels, pixels.filled_rows, pixels.sources, filled_label_rows
        )
    return Micrograph(entry, *_generated(entry))


_GENERATED: dict[tuple[str, str, tuple[int, int]], tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
"""By task, id and shape. A micrograph takes a tenth of a second to generate and 0.1 MB to keep."""


def _generated(entry: Entry) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    key = entry.task, entry.id, entry.shape
    if key not in _GENERATED:
        from uhcs_bench.data.synthetic import generate

        image, labels = generate(entry)
        _GENERATED[key] = _frozen(image), _frozen(labels)
    return _GENERATED[key]


def _frozen(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copy an array into memory that can't be made writeable, as all callers share it."""
    import numpy as np

    return np.frombuffer(array.tobytes(), np.uint8).reshape(array.shape)
