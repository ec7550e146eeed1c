"""Scores of a submission: the data classes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from uhcs_bench import protocol
from uhcs_bench.errors import MissingItemError
from uhcs_bench.formatting import TextFormat, abbreviated, percent
from uhcs_bench.stats.undefined import nan_to_none

if TYPE_CHECKING:
    import pandas as pd

    from uhcs_bench.stats.standard_errors import OverallErrors

SCHEMA = "uhcs-bench/score/3"


Resampled = Literal["micrographs", "samples"]
"""What is drawn anew when a study is repeated: micrographs, or heat-treated samples of steel."""


@dataclass(frozen=True)
class MeanScore:
    """A mean over micrographs, with the confidence intervals that hold it in simulations.

    ``docs/intervals.md`` has the coverage of both intervals by kind of score.

    Attributes
    ----------
    mean : float or None
        Fraction in [0, 1]; None where no micrograph defines it.
    se : float or None
        Standard error: sample standard deviation (ddof 1) over the micrographs, divided by sqrt(n).
        None for a single micrograph and for pooled pixels.
    n : int
        Micrographs that the mean is over.
    ci95 : tuple of float, or None
        By micrograph, see `uhcs_bench.stats.means.bootstrap_t_interval`. None for fewer than
        `uhcs_bench.stats.means.FEWEST` micrographs, and where their values don't scatter.
    ci95_samples : tuple of float, or None
        By heat-treated sample, of which the micrographs resemble each other, see
        `uhcs_bench.stats.means.cluster_interval`. None for fewer than
        `uhcs_bench.stats.means.FEWEST_CLUSTERS` samples or `uhcs_bench.stats.means.FEWEST`
        micrographs, and for pooled pixels.
    """

    mean: float | None
    se: float | None
    n: int
    ci95: tuple[float, float] | None
    ci95_samples: tuple[float, float] | None = None

    def interval(self, resampled: Resampled) -> tuple[float, float] | None:
        """Interval by micrograph or by heat-treated sample."""
        return self.ci95 if resampled == "micrographs" else self.ci95_samples


@dataclass(frozen=True)
class ClassMeans:
    """Means of one class, a field for each of `uhcs_bench.metrics.table.CLASS_SCORES`."""

    IU: MeanScore
    precision: MeanScore
    recall: MeanScore


@dataclass(frozen=True)
class ConventionScore:
    """Means of a task under one convention.

    `classes`, and a field for each of `uhcs_bench.metrics.table.OVERALL_SCORES`.

    Attributes
    ----------
    AC : MeanScore
        Pixel accuracy; in the paper's tables also the overall precision and recall.
    IU : MeanScore
        Mean over micrographs of the mean intersection over union over a micrograph's classes.
    classes : dict of str to ClassMeans
    """

    AC: MeanScore
    IU: MeanScore
    classes: dict[str, ClassMeans]


@dataclass(frozen=True)
class SizeDistributionScore:
    """How often a test does not reject that predicted and annotated particle sizes are alike.

    Attributes
    ----------
    ks_score : float
        `n_consistent` / `n`.
    n_consistent, n : int
        Micrographs on which the test does not reject, and all.
    alpha : float
        Level of the test.
    ci95 : tuple of float
        Exact confidence interval of `ks_score`, by micrograph, see
        `uhcs_bench.stats.proportions.proportion_interval`.
    """

    ks_score: float
    n_consistent: int
    n: int
    alpha: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class ClassScore:
    """One class on one micrograph; None where undefined."""

    IU: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class SizeDistributionTest:
    """Kolmogorov-Smirnov test of a micrograph's particle sizes; None where a map has none.

    Attributes
    ----------
    ks_statistic : float or None
        Largest distance D of the two cumulative distributions.
    p_value : float or None
    n_true, n_pred : int
        Particles in the annotation and in the prediction.
    consistent : bool
        Whether the test does not reject that the sizes have one distribution; which is no evidence
        that they have.
    """

    ks_statistic: float | None
    p_value: float | None
    n_true: int
    n_pred: int
    consistent: bool


@dataclass(frozen=True)
class MicrographScore:
    """The scores of one micrograph.

    Attributes
    ----------
    id : str
    fold : int
    AC : float
        Pixel accuracy.
    IU : float
        Mean intersection over union over the classes that are annotated or predicted.
    classes : dict of str to ClassScore
    confusion : list of list of int
        Pixels by annotated (row) and predicted (column) class.
    measures : dict
        More measures by name, see `uhcs_bench.scoring.extended`; None where undefined.
    psd : SizeDistributionTest or None
        For particles.
    """

    id: str
    fold: int
    AC: float
    IU: float
    classes: dict[str, ClassScore]
    confusion: list[list[int]]
    measures: dict[str, Any]
    psd: SizeDistributionTest | None

    __repr__ = abbreviated


@dataclass(frozen=True)
class TaskScore:
    """The scores of one task.

    Attributes
    ----------
    task : str
    data_id : str
        Name of the annotations and folds that were scored on, see `uhcs_bench.Dataset.data_id`;
        scores can be compared if it is the same.
    folds : list of int
    n_images : int
    conventions : dict of str to ConventionScore
    samples : list of int
        Number of the heat-treated sample of each of `images`; micrographs of one number are of one
        sample, or may be.
    IU_errors : OverallErrors
        Standard errors of the overall IU in the paper's convention: over micrographs, and over all
        values of a class on a micrograph as in the paper's tables.
    psd : SizeDistributionScore or None
        For particles.
    measures : dict
        Means of the micrographs' `measures`, each a `MeanScore` over those that define it; of a
        signed error also the mean of its absolute value, ``<name>_abs``. When extended, for
        particles also ``ks_sensitivity``.
    images : list of MicrographScore
    """

    task: str
    data_id: str
    folds: list[int]
    n_images: int
    samples: list[int]
    conventions: dict[str, ConventionScore]
    IU_errors: OverallErrors
    psd: SizeDistributionScore | None
    measures: dict[str, Any]
    images: list[MicrographScore]

    __repr__ = abbreviated


@dataclass(frozen=True)
class Report:
    """The scores of a submission.

    Attributes
    ----------
    scorer_version : str
        Version of uhcs-bench.
    dataset_version : str
        Version of the annotations; ``"synthetic"`` for the generated stand-in.
    split : str
        Which micrographs, in which folds; ``"paper"`` for the paper's.
    resampled : {'micrographs', 'samples'}
        Unit of the intervals in tables and pages that show one of both.
    training_split : str or None
        Split that the maps' models were trained on, as a declaration beside the maps has it; None
        where there is none, see `uhcs_bench.scoring.provenance`.
    training_subsets : tuple of int
        If the record beside the maps states that the models were trained on fixed subsets, how
        many training micrographs of a fold those have.
    tasks : list of TaskScore
    other_runs : tuple of str
        If the maps are in the folder of an entry, those of its further runs, which were not scored.

    Examples
    --------
    >>> import uhcs_bench
    >>> truth = uhcs_bench.load("particles", version="synthetic")
    >>> report = uhcs_bench.score({m.id: m.labels for m in truth}, version="synthetic")
    >>> report["particles"].conventions["paper"].classes["particle"].IU.mean
    1.0
    """

    scorer_version: str
    dataset_version: str
    split: str
    resampled: Resampled
    training_split: str | None
    training_subsets: tuple[int, ...]
    tasks: list[TaskScore]
    other_runs: tuple[str, ...] = ()
    schema: str = SCHEMA

    def __getitem__(self, task: str) -> TaskScore:
        """Scores of a task, by its name or alias."""
        name = protocol.task(task).name
        for scored in self.tasks:
            if scored.task == name:
                return scored
        scores = ", ".join(scored.task for scored in self.tasks) or "none"
        raise MissingItemError(f"{name} was not scored. The tasks of this report are {scores}.")

    def to_text(self, form: TextFormat = "table") -> str:
        """Lay the scores out like the paper's tables, in percent.

        Parameters
        ----------
        form : {'table', 'markdown', 'latex'}, optional

        Returns
        -------
        str
            As ``uhcs-bench score`` prints it; ``print(report)`` prints the default.

        Examples
        --------
        >>> import uhcs_bench
        >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
        >>> report = uhcs_bench.score(
        ...     {m.id: m.labels for m in fold.val}, fold=2, version="synthetic"
        ... )
        >>> print(report.to_text().splitlines()[0])
        particles: SYNTHETIC set, not real micrographs; n = 4, fold 2
        """
        from uhcs_bench.scoring import text

        return text.to_text(self, form)

    def to_frame(self) -> pd.DataFrame:
        """Give all scores as one tidy table: a row a number, fractions in [0, 1].

        Returns
        -------
        pandas.DataFrame
            The table of ``uhcs-bench score --format csv``: rows with a ``convention`` are means,
            rows with a ``micrograph`` are that micrograph's scores; NaN where undefined.

        Raises
        ------
        MissingPackageError
            If pandas is not installed.

        Examples
        --------
        >>> import uhcs_bench
        >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
        >>> report = uhcs_bench.score(
        ...     {m.id: m.labels for m in fold.val}, fold=2, version="synthetic"
        ... )
        >>> frame = report.to_frame()
        >>> frame[frame["convention"].eq("pooled") & frame["metric"].eq("AC")]["value"].item()
        1.0
        """
        from uhcs_bench.io import tables
        from uhcs_bench.scoring import tidy

        return tables.frame(tidy.CSV_COLUMNS, tidy.csv_rows(self))

    def _repr_html_(self) -> str:
        from uhcs_bench.scoring import text

        return text.to_html(self)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        scored = []
        for task in self.tasks:
            paper = task.conventions["paper"]
            means = (f"{name} {percent(getattr(paper, name).mean)}" for name in ("IU", "AC"))
            scored.append(f"{task.task}: n = {task.n_images}, {', '.join(means)} %")
        version = f"{self.dataset_version}, split {self.split}"
        return f"<Report {version}; {'; '.join(scored)}>"

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, in the form of the JSON output."""
        content = nan_to_none(asdict(self))
        for task in content["tasks"]:
            if task["psd"] is None:  # only particles have sizes
                del task["psd"]
                for image in task["images"]:
                    del image["psd"]
        return {"schema": content.pop("schema"), **content}

    @property
    def training(self) -> str:
        """Sentence that states what the maps' models were trained on, as far as it is known."""
        if self.training_split is None:
            return (
                "Warning: the training split is not stated; the scores are valid only for models "
                f"trained on the folds of split {self.split}."
            )
        if not self.training_subsets:
            on = f"the folds of split {self.training_split}"
        else:
            number = " or ".join(map(str, self.training_subsets))
            on = f"fixed subsets of the folds of split {self.training_split}, {number} of each fold"
        return f"Trained on {on}, as declared beside the maps."

    @property
    def one_run(self) -> str:
        """Sentence that states that the maps are of one run of several; empty if they are not."""
        if not self.other_runs:
            return ""
        number = 1 + len(self.other_runs)
        return (
            f"One run of {number}, whose maps are in the folder itself; not scored: "
            f"{', '.join(self.other_runs)}. A method's score on the board is the mean of its runs."
        )

    def to_json(self) -> str:
        """Text of the JSON output; null where a quantity is undefined."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)
