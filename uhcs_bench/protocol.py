"""The benchmark's fixed terms: tasks, classes, folds, versions and test constants.

Everything that reads "the protocol" reads it here. Section and equation numbers are those of
DeCost, Lei, Francis and Holm (2019), the paper that introduced the data; see `uhcs_bench.paper` for
the numbers that it reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from uhcs_bench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_Name = TypeVar("_Name", bound=str)

TaskName = Literal["particles", "microconstituents"]
Version = Literal["1.0", "audited", "synthetic"]
Split = Literal["paper", "clean", "grouped"]
ConventionName = Literal["paper", "present", "pooled"]

N_FOLDS = 6
"""Cross-validation folds of the paper's split, numbered 0 to 5 (section "Performance evaluation");
no split has more."""

KS_ALPHA = 0.05
"""Level of the Kolmogorov-Smirnov test behind the KS score (section "Performance evaluation")."""

CONFIDENCE = 0.95
"""Of every interval."""

PARTICLE_CLASS = "particle"

CONNECTIVITY: Literal[4, 8] = 8
"""Neighbours that join two particle pixels into one particle."""

CONVENTIONS: dict[ConventionName, str] = {
    "paper": "mean over micrographs, each class where it is annotated or predicted",
    "present": "mean over micrographs, each class where it is annotated",
    "pooled": "one confusion matrix over the pixels of all micrographs",
}

REAL_VERSION: Version = "1.0"
AUDITED_VERSION: Version = "audited"
SYNTHETIC_VERSION: Version = "synthetic"
VERSIONS: dict[Version, str] = {
    "1.0": "the deposit as the paper used it",
    "audited": "1.0 with misplaced particle label maps moved into place",
    "synthetic": "generated stand-in, not micrographs of steel",
}

PAPER_SPLIT: Split = "paper"
SPLITS: dict[Split, str] = {
    "paper": "the paper's folds",
    "clean": "the paper's folds without micrographs that show what an earlier fold shows",
    "grouped": "those of clean, no heat-treated sample in two folds",
}


@dataclass(frozen=True)
class Task:
    """One of the two segmentation tasks.

    Attributes
    ----------
    name : str
        Name used in every file and output.
    aliases : tuple of str
        Other names that are understood, those of the original deposit.
    classes : tuple of str
        Class names; a class's label is its position.
    colors : tuple of str
        A colour for each class, ``#rrggbb``, from the palette of Okabe and Ito, which colour-blind
        readers can tell apart. Like the paper's figures: network blue, spheroidite yellow,
        particles red.
    """

    name: TaskName
    aliases: tuple[str, ...]
    classes: tuple[str, ...]
    colors: tuple[str, ...]

    @property
    def has_particles(self) -> bool:
        """Whether single particles are annotated, so that there are sizes to compare."""
        return PARTICLE_CLASS in self.classes

    @property
    def has_denuded_zone(self) -> bool:
        """Whether network and spheroidite are annotated, so that the zone between has a width."""
        return "network" in self.classes


TASKS: dict[TaskName, Task] = {
    task.name: task
    for task in (
        Task(
            name="particles",
            aliases=("spheroidite",),
            classes=("matrix", PARTICLE_CLASS),
            colors=("#56b4e9", "#d55e00"),
        ),
        Task(
            name="microconstituents",
            aliases=("uhcs",),
            classes=("matrix", "network", "spheroidite", "widmanstatten"),
            colors=("#56b4e9", "#0072b2", "#f0e442", "#009e73"),
        ),
    )
}

PARTICLE_LABEL = TASKS["particles"].classes.index(PARTICLE_CLASS)


def task(name: str) -> Task:
    """Look a task up by its name or alias.

    Parameters
    ----------
    name : str
        For example ``"particles"`` or its alias ``"spheroidite"``.

    Returns
    -------
    Task

    Raises
    ------
    UsageError
        If there is no such task; the message lists those that exist.

    Examples
    --------
    >>> task("uhcs").name
    'microconstituents'
    """
    for candidate in TASKS.values():
        if isinstance(name, str) and name in (candidate.name, *candidate.aliases):
            return candidate
    known = " and ".join(f"{t.name} (alias {', '.join(t.aliases)})" for t in TASKS.values())
    raise UsageError(f"There is no task {name!r}. The tasks are {known}.")


def check_fold(fold: int, n_folds: int = N_FOLDS, place: str = "") -> int:
    """Give back a fold number if there is such a fold.

    Parameters
    ----------
    fold : int
        Of Python or NumPy.
    n_folds : int, optional
        Number of folds, where it is not the paper's; see `uhcs_bench.data.dataset.check_fold`.
    place : str, optional
        Whose folds they are, for the message: for example ``" in split grouped of particles"``.

    Raises
    ------
    UsageError
        If it is not an integer from 0 to `n_folds` - 1.
    """
    # Numbers of NumPy are integers too, though no int.
    if isinstance(fold, bool) or not hasattr(fold, "__index__"):
        raise UsageError(
            f"A fold is named by a whole number, not by {fold!r}. The folds{place} are 0 to "
            f"{n_folds - 1}."
        )
    if not 0 <= fold < n_folds:
        raise UsageError(f"There is no fold {fold!r}{place}. The folds are 0 to {n_folds - 1}.")
    return int(fold)


def check_version(version: str) -> Version:
    """Give back a data set version if it exists.

    Raises
    ------
    UsageError
        If there is no such version; the message lists those that exist.
    """
    return _known(version, VERSIONS, "data set version")


def check_split(split: str) -> Split:
    """Give back the name of a split if it exists.

    Raises
    ------
    UsageError
        If there is no such split; the message lists those that exist.
    """
    return _known(split, SPLITS, "split")


def score_options(version: str, split: str) -> str:
    """Give the options with which ``uhcs-bench score`` scores on a version and split.

    Examples
    --------
    >>> score_options("synthetic", "paper")
    ' --dataset-version synthetic'
    """
    options = ""
    if version != REAL_VERSION:
        options += f" --dataset-version {version}"
    if split != PAPER_SPLIT:
        options += f" --split {split}"
    return options


def _known(name: str, meanings: Mapping[_Name, str], kind: str) -> _Name:
    for known in meanings:
        if isinstance(name, str) and name == known:
            return known
    listing = ", ".join(f"{known} ({meaning})" for known, meaning in meanings.items())
    plural = f"{kind.rpartition(' ')[2]}s"
    raise UsageError(f"There is no {kind} {name!r}. The {plural} are {listing}.")
