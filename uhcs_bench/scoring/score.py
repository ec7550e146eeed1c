"""Score a submission as the paper does, and in the two other conventions that later work used.

==========  =====================================================================================
convention  what a mean is taken over
==========  =====================================================================================
paper       micrographs; a class counts where the quantity is defined, so that a class that is
            predicted but not annotated counts as IU 0 and precision 0
present     micrographs; a class counts only where it is annotated
pooled      nothing: one confusion matrix over all pixels of all micrographs
==========  =====================================================================================
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from uhcs_bench import protocol
from uhcs_bench._version import __version__
from uhcs_bench.data import dataset
from uhcs_bench.metrics import confusion as metrics
from uhcs_bench.metrics import particle_sizes
from uhcs_bench.scoring import extended as measures
from uhcs_bench.scoring.submission import Submission, read_submission
from uhcs_bench.stats import bootstrap

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.data.dataset import Micrograph

SCHEMA = "uhcs-bench/score/1"

Resampled = Literal["micrographs", "folds"]


@dataclass(frozen=True)
class Estimate:
    """A mean over micrographs.

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
        Bootstrap confidence interval (see `uhcs_bench.stats.bootstrap.bootstrap_interval`); None where
        `mean` is, and where there is only one micrograph or fold to draw.
    """

    mean: float | None
    se: float | None
    n: int
    ci95: tuple[float, float] | None


@dataclass(frozen=True)
class ClassEstimates:
    """Means of one class."""

    IU: Estimate
    precision: Estimate
    recall: Estimate


@dataclass(frozen=True)
class ConventionScore:
    """Means of a task under one convention.

    Attributes
    ----------
    AC : Estimate
        Pixel accuracy; in the paper's tables also the overall precision and recall.
    IU : Estimate
        Mean over micrographs of the mean intersection over union over a micrograph's classes.
    classes : dict of str to ClassEstimates
    """

    AC: Estimate
    IU: Estimate
    classes: dict[str, ClassEstimates]


@dataclass(frozen=True)
class SizeDistributionScore:
    """How often predicted and annotated particle size distributions are consistent.

    Attributes
    ----------
    ks_score : float
        `n_consistent` / `n`.
    n_consistent, n : int
    alpha : float
        Level of the test.
    ci95 : tuple of float
        Confidence interval of `ks_score`, by Wilson's score.
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
    """Kolmogorov-Smirnov test of a micrograph's particle sizes; None where a map has none."""

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
    psd : SizeDistributionScore or None
        For particles.
    measures : dict
        Means of the micrographs' `measures`, each an `Estimate` over those that define it; of a
        signed error also the mean of its absolute value, ``<name>_abs``. When extended, for
        particles also ``ks_sensitivity``.
    images : list of MicrographScore
    """

    task: str
    data_id: str
    folds: list[int]
    n_images: int
    conventions: dict[str, ConventionScore]
    psd: SizeDistributionScore | None
    measures: dict[str, Any]
    images: list[MicrographScore]


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
    resampled : {'micrographs', 'folds'}
        What the bootstrap of the confidence intervals draws.
    tasks : list of TaskScore

    Examples
    --------
    >>> import uhcs_bench
    >>> truth = uhcs_bench.load("particles", version="synthetic")
    >>> report = score({m.id: m.labels for m in truth}, version="synthetic")
    >>> report["particles"].conventions["paper"].classes["particle"].IU.mean
    1.0
    """

    scorer_version: str
    dataset_version: str
    split: str
    resampled: Resampled
    tasks: list[TaskScore]
    schema: str = SCHEMA

    def __getitem__(self, task: str) -> TaskScore:
        """Scores of a task, by its name or alias."""
        name = protocol.task(task).name
        for scored in self.tasks:
            if scored.task == name:
                return scored
        raise KeyError(f"{name} was not scored")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, in the form of the JSON output."""
        content = asdict(self)
        for task in content["tasks"]:
            if task["psd"] is None:  # only particles have sizes
                del task["psd"]
                for image in task["images"]:
                    del image["psd"]
        return {"schema": content.pop("schema"), **content}

    def to_json(self) -> str:
        """Text of the JSON output; null where a quantity is undefined."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)


def score(
    predictions: str | os.PathLike[str] | Mapping[str, ArrayLike],
    task: str | None = None,
    fold: int | None = None,
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
    resample: Resampled = "micrographs",
    extended: bool = False,
) -> Report:
    """Score predicted label maps against the annotations.

    Parameters
    ----------
    predictions : path or mapping of str to array_like
        A folder with one map for each micrograph, ``<id>.png``, ``.tif`` or ``.npy``, directly or
        under ``particles/`` and ``microconstituents/``; or the maps themselves by id. A map has the
        micrograph's shape and holds class labels.
    task : str, optional
        Task to score. By default every task that the ids belong to.
    fold : int, optional
        Score only the validation micrographs of this fold. By default all micrographs of the split
        are required.
    version : str, optional
        Data set version to score against.
    split : str, optional
        Which micrographs, in which folds: ``"paper"``, ``"clean"`` or ``"grouped"``. A model whose
        predictions are scored must have been trained on the training micrographs of that split.
    resample : {'micrographs', 'folds'}, optional
        What the bootstrap of the confidence intervals draws. Folds are fewer, and take into account
        that the micrographs of a fold were predicted by one model.
    extended : bool, optional
        Also measure boundaries, denuded zones, single particles, and how the KS score depends on
        what counts as a particle. That takes about a second for a micrograph of particles.

    Returns
    -------
    Report

    Raises
    ------
    SubmissionError
        If anything is wrong with the predictions; it lists all problems of all files.
    UsageError
        If there is no such task, fold, version or split.
    DataUnavailableError
        If the annotations could not be had from any source.

    Examples
    --------
    >>> import uhcs_bench
    >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
    >>> nothing = {m.id: m.labels * 0 for m in fold.val}
    >>> report = score(nothing, fold=2, version="synthetic")
    >>> report["particles"].conventions["paper"].classes["particle"].recall.mean
    0.0
    >>> report["particles"].psd.n_consistent
    0
    """
    submissions = read_submission(predictions, task, fold, version, split)
    return score_submissions(submissions, resample, extended=extended)


def score_submissions(
    submissions: Sequence[Submission],
    resample: Resampled = "micrographs",
    *,
    extended: bool = False,
) -> Report:
    """Score label maps that have been read and checked.

    Parameters
    ----------
    submissions : sequence of Submission
        At least one, all for one data set version and split; see
        `uhcs_bench.scoring.submission.read_submission`.
    resample : {'micrographs', 'folds'}, optional
        What the bootstrap of the confidence intervals draws.
    extended : bool, optional
        As of `score`.

    Returns
    -------
    Report

    Raises
    ------
    DataUnavailableError
        If the annotations could not be had from any source.
    """
    return Report(
        scorer_version=__version__,
        dataset_version=submissions[0].version,
        split=submissions[0].split,
        resampled=resample,
        tasks=[_score_task(submission, resample, extended) for submission in submissions],
    )


def _score_task(submission: Submission, resample: Resampled, extended: bool) -> TaskScore:
    truth = dataset.Dataset(
        submission.task,
        submission.version,
        dataset.micrographs(submission.entries),
        submission.split,
    )
    classes = submission.task.classes
    folds = [micrograph.fold for micrograph in truth]
    groups = folds if resample == "folds" else range(len(truth))
    confusions = np.zeros((len(truth), len(classes), len(classes)), np.int64)
    tests: list[SizeDistributionTest] = []
    measured = []
    sensitivities = []
    for index, micrograph in enumerate(_with_progress(truth, extended)):
        annotated, predicted = micrograph.labels, submission.maps[micrograph.id]
        confusions[index] = metrics.confusion_matrix(annotated, predicted, len(classes))
        found = measures.agreement_measures(confusions[index], classes)
        if submission.task.has_particles:
            # Particle is the only label besides 0, so that the label maps are their own masks.
            areas = metrics.particle_areas(annotated), metrics.particle_areas(predicted)
            tests.append(_test_sizes(*areas))
            found |= measures.size_measures(*areas, micrograph.pixel_size_um)
        if extended:
            found |= measures.boundary_measures(annotated, predicted, classes)
        if extended and submission.task.has_denuded_zone:
            found |= measures.denuded_zone_measures(annotated, predicted, micrograph.pixel_size_um)
        if extended and submission.task.has_particles:
            found |= measures.instance_measures(annotated, predicted)
            sensitivities.append(particle_sizes.ks_sensitivity(annotated, predicted))
        measured.append(found)
    mean_measures = measures.nested(_mean_measures(measured, groups))
    if sensitivities:
        mean_measures["ks_sensitivity"] = measures.sensitivity_rows(sensitivities)
    per_micrograph = _ClassScores(confusions)
    images = [
        MicrographScore(
            id=micrograph.id,
            fold=micrograph.fold,
            AC=float(per_micrograph.accuracy[index]),
            IU=float(per_micrograph.mean_iu[index]),
            classes={
                name: ClassScore(
                    IU=_defined(per_micrograph.iu[index, label]),
                    precision=_defined(per_micrograph.precision[index, label]),
                    recall=_defined(per_micrograph.recall[index, label]),
                )
                for label, name in enumerate(classes)
            },
            confusion=confusions[index].tolist(),
            measures=measures.nested({k: _defined(v) for k, v in measured[index].items()}),
            psd=tests[index] if tests else None,
        )
        for index, micrograph in enumerate(truth)
    ]
    return TaskScore(
        task=submission.task.name,
        data_id=truth.data_id,
        folds=sorted(set(folds)),
        n_images=len(truth),
        conventions=conventions(confusions, classes, groups),
        psd=_consistency(tests) if tests else None,
        measures=mean_measures,
        images=images,
    )


def _with_progress(truth: Sequence[Micrograph], slow: bool) -> Iterable[Micrograph]:
    """Show progress on a terminal where the work takes long enough to wonder."""
    if not slow:
        return truth
    from tqdm import tqdm

    return tqdm(truth, desc="Measuring", unit="micrograph", disable=None)


def _mean_measures(
    measured: Sequence[Mapping[measures.Key, float]], groups: Sequence[int]
) -> dict[measures.Key, Estimate]:
    columns = {key: np.array([found[key] for found in measured]) for key in measured[0]}
    for *path, name in list(columns):
        if name.endswith("error") or "_error_" in name:
            columns[*path, f"{name}_abs"] = np.abs(columns[*path, name])
    return dict(zip(columns, _estimates(np.stack(list(columns.values()), 1), groups), strict=True))


def conventions(
    confusions: NDArray[np.int64], classes: tuple[str, ...], groups: Sequence[int] | None = None
) -> dict[str, ConventionScore]:
    """Average the scores of micrographs in each of the three conventions.

    Parameters
    ----------
    confusions : ndarray of int64, shape (n_micrographs, n_classes, n_classes)
        Confusion matrices, rows annotated and columns predicted.
    classes : tuple of str
        Names of the classes.
    groups : sequence of int, optional
        Micrographs with the same number are drawn together by the bootstrap. By default each is
        drawn by itself.

    Returns
    -------
    dict of str to ConventionScore
        By the names in `uhcs_bench.protocol.CONVENTIONS`.

    Examples
    --------
    A class that is predicted but not annotated counts in the paper's convention alone:

    >>> confusions = np.array([[[9, 1], [0, 0]], [[5, 0], [0, 5]]])
    >>> scores = conventions(confusions, ("matrix", "particle"))
    >>> scores["paper"].classes["particle"].IU.mean, scores["present"].classes["particle"].IU.mean
    (0.5, 1.0)
    """
    groups = range(len(confusions)) if groups is None else groups
    per_micrograph = _ClassScores(confusions)
    return {
        "paper": _means(per_micrograph, classes, groups),
        "present": _means(per_micrograph.where_annotated(), classes, groups),
        "pooled": _pooled(confusions, classes, groups),
    }


class _ClassScores:
    """Scores of a stack of confusion matrices; NaN where undefined."""

    def __init__(self, confusions: NDArray[np.int64] | NDArray[np.float64]) -> None:
        self.confusions = confusions
        self.accuracy = metrics.accuracy(confusions)
        self.iu = metrics.intersection_over_union(confusions)
        self.precision = metrics.precision(confusions)
        self.recall = metrics.recall(confusions)

    @property
    def mean_iu(self) -> NDArray[np.float64]:
        """Mean over each micrograph's defined classes; there is at least one."""
        return np.asarray(np.nanmean(self.iu, axis=-1))

    @property
    def columns(self) -> NDArray[np.float64]:
        """All of them side by side: AC, mean IU, then IU, precision and recall of each class."""
        overall = np.stack([self.accuracy, self.mean_iu], axis=1)
        return np.concatenate([overall, self.iu, self.precision, self.recall], axis=1)

    def where_annotated(self) -> _ClassScores:
        """Undefine the scores of classes that a micrograph's annotation does not have."""
        scores = _ClassScores(self.confusions)
        absent = self.confusions.sum(-1) == 0
        for values in (scores.iu, scores.precision, scores.recall):
            values[absent] = np.nan
        return scores


def _means(
    scores: _ClassScores, classes: tuple[str, ...], groups: Sequence[int]
) -> ConventionScore:
    return _convention(_estimates(scores.columns, groups), classes)


def _estimates(values: NDArray[np.float64], groups: Sequence[int]) -> list[Estimate]:
    """Mean of each column over the micrographs that define it."""
    defined = ~np.isnan(values)
    # Sums and counts side by side, so that one matrix product gives both.
    sums_and_counts = np.concatenate([np.where(defined, values, 0.0), defined], axis=1)

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        sums, counts = np.split(weights @ sums_and_counts, 2, axis=1)
        with np.errstate(invalid="ignore"):  # no micrograph that defines it: NaN on purpose
            return np.asarray(sums / counts)

    n = defined.sum(0)
    means = mean(np.ones((1, len(values))))[0]
    squares = np.where(defined, values - means, 0.0) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):  # a single micrograph has no deviation
        standard_errors = np.where(n > 1, np.sqrt(squares.sum(0) / (n - 1) / n), np.nan)
    ends = bootstrap.bootstrap_interval(mean, groups)
    return _named_estimates(means, standard_errors, n, ends)


def _pooled(
    confusions: NDArray[np.int64], classes: tuple[str, ...], groups: Sequence[int]
) -> ConventionScore:
    flat = confusions.reshape(len(confusions), -1).astype(float)

    def scores(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return _ClassScores((weights @ flat).reshape(-1, *confusions.shape[1:])).columns

    means = scores(np.ones((1, len(confusions))))[0]
    n = np.full(means.shape, len(confusions))
    no_errors = np.full(means.shape, np.nan)
    ends = bootstrap.bootstrap_interval(scores, groups)
    return _convention(_named_estimates(means, no_errors, n, ends), classes)


def _named_estimates(
    means: NDArray[np.float64],
    standard_errors: NDArray[np.float64],
    n: NDArray[np.int64],
    ends: NDArray[np.float64],
) -> list[Estimate]:
    return [
        Estimate(
            mean=_defined(means[column]),
            se=_defined(standard_errors[column]),
            n=int(n[column]),
            ci95=None if n[column] < 2 or math.isnan(low) else (float(low), float(high)),
        )
        for column, (low, high) in enumerate(ends)
    ]


def _convention(estimates: Sequence[Estimate], classes: tuple[str, ...]) -> ConventionScore:
    """Name the columns of `_ClassScores.columns`."""
    accuracy, mean_iu, *by_class = estimates
    iu, precision, recall = (
        by_class[start : start + len(classes)] for start in range(0, len(by_class), len(classes))
    )
    return ConventionScore(
        AC=accuracy,
        IU=mean_iu,
        classes={
            name: ClassEstimates(IU=iu[label], precision=precision[label], recall=recall[label])
            for label, name in enumerate(classes)
        },
    )


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _test_sizes(
    areas_true: NDArray[np.int64], areas_pred: NDArray[np.int64]
) -> SizeDistributionTest:
    statistic, p_value = metrics.ks_test(areas_true, areas_pred)
    return SizeDistributionTest(
        ks_statistic=_defined(statistic),
        p_value=_defined(p_value),
        n_true=len(areas_true),
        n_pred=len(areas_pred),
        consistent=metrics.same_distribution(areas_true, areas_pred, p_value),
    )


def _consistency(tests: list[SizeDistributionTest]) -> SizeDistributionScore:
    n_consistent = sum(test.consistent for test in tests)
    return SizeDistributionScore(
        ks_score=n_consistent / len(tests),
        n_consistent=n_consistent,
        n=len(tests),
        alpha=protocol.KS_ALPHA,
        ci95=bootstrap.proportion_interval(n_consistent, len(tests)),
    )
