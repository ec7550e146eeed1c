"""Scores under the paper's convention and two others that later work used."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.metrics.table import CLASS_SCORES, OVERALL_SCORES, SCORES
from uhcs_bench.scoring.results import ClassMeans, ConventionScore, MeanScore
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
    return {
        "paper": _means(Scores(confusions), classes, groups),
        "present": _means(Scores(confusions, where_annotated=True), classes, groups),
        "pooled": _pooled(confusions, classes, groups),
    }


class Scores:
    """Scores of a stack of confusion matrices; NaN where undefined.

    Attributes
    ----------
    overall : dict of str to ndarray, shape (n_matrices,)
        By the names in `uhcs_bench.metrics.table.OVERALL_SCORES`. A mean over classes is over those
        that the matrix defines; there is at least one.
    by_class : dict of str to ndarray, shape (n_matrices, n_classes)
        By the names in `uhcs_bench.metrics.table.CLASS_SCORES`.
    """

    def __init__(self, confusions: NDArray[np.int64], *, where_annotated: bool = False) -> None:
        values = {score.name: score.function(confusions) for score in SCORES}
        if where_annotated:
            absent = confusions.sum(-1) == 0
            for score in CLASS_SCORES:
                values[score.name][absent] = np.nan
        self.by_class = {score.name: values[score.name] for score in CLASS_SCORES}
        self.overall = {
            score.name: np.asarray(
                np.nanmean(values[score.name], axis=-1) if score.per_class else values[score.name]
            )
            for score in OVERALL_SCORES
        }

    @property
    def columns(self) -> NDArray[np.float64]:
        """All scores side by side: those over all classes, then those of each class."""
        overall = np.stack(list(self.overall.values()), axis=1)
        return np.concatenate([overall, *self.by_class.values()], axis=1)


def _means(scores: Scores, classes: tuple[str, ...], groups: Sequence[int]) -> ConventionScore:
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
        return Scores((weights @ flat).reshape(-1, *confusions.shape[1:])).columns

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


def _convention(means: Sequence[MeanScore], classes: tuple[str, ...]) -> ConventionScore:
    """Name the columns of `Scores.columns`."""
    columns = iter(means)
    overall = {score.name: next(columns) for score in OVERALL_SCORES}
    by_class = {score.name: [next(columns) for _ in classes] for score in CLASS_SCORES}
    return ConventionScore(
        classes={
            name: ClassMeans(**{score: values[label] for score, values in by_class.items()})
            for label, name in enumerate(classes)
        },
        **overall,
    )
