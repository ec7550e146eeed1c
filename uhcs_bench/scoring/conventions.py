"""Scores under the paper's convention and two others that later work used."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.metrics import confusion as metrics
from uhcs_bench.scoring.results import ClassEstimates, ConventionScore, MeanScore
from uhcs_bench.stats import bootstrap
from uhcs_bench.stats.undefined import none_if_nan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


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
    per_micrograph = ClassScores(confusions)
    return {
        "paper": _means(per_micrograph, classes, groups),
        "present": _means(per_micrograph.where_annotated(), classes, groups),
        "pooled": _pooled(confusions, classes, groups),
    }


class ClassScores:
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

    def where_annotated(self) -> ClassScores:
        """Undefine the scores of classes that a micrograph's annotation does not have."""
        scores = ClassScores(self.confusions)
        absent = self.confusions.sum(-1) == 0
        for values in (scores.iu, scores.precision, scores.recall):
            values[absent] = np.nan
        return scores


def _means(scores: ClassScores, classes: tuple[str, ...], groups: Sequence[int]) -> ConventionScore:
    return _convention(estimates(scores.columns, groups), classes)


def estimates(values: NDArray[np.float64], groups: Sequence[int]) -> list[MeanScore]:
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
        return ClassScores((weights @ flat).reshape(-1, *confusions.shape[1:])).columns

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
) -> list[MeanScore]:
    return [
        MeanScore(
            mean=none_if_nan(means[column]),
            se=none_if_nan(standard_errors[column]),
            n=int(n[column]),
            ci95=None if n[column] < 2 or math.isnan(low) else (float(low), float(high)),
        )
        for column, (low, high) in enumerate(ends)
    ]


def _convention(estimates: Sequence[MeanScore], classes: tuple[str, ...]) -> ConventionScore:
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
