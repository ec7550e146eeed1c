"""Scores under the paper's convention and two others that later work used."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.metrics.table import CLASS_SCORES, OVERALL_SCORES, SCORES
from uhcs_bench.scoring.results import ClassMeans, ConventionScore, MeanScore
from uhcs_bench.stats import means
from uhcs_bench.stats.undefined import none_if_nan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def conventions(
    confusions: NDArray[np.int64], classes: tuple[str, ...], samples: Sequence[int] | None = None
) -> dict[str, ConventionScore]:
    """Average the scores of micrographs in each of the three conventions.

    Parameters
    ----------
    confusions : ndarray of int64, shape (n_micrographs, n_classes, n_classes)
        Confusion matrices, rows annotated and columns predicted.
    classes : tuple of str
        Names of the classes.
    samples : sequence of int, optional
        Number of each micrograph's heat-treated sample. By default there are no intervals by
        sample.

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
    return {
        "paper": _means(Scores(confusions), classes, samples),
        "present": _means(Scores(confusions, where_annotated=True), classes, samples),
        "pooled": _pooled(confusions, classes),
    }


def of_runs(
    confusions: NDArray[np.int64], classes: tuple[str, ...], samples: Sequence[int] | None = None
) -> dict[str, ConventionScore]:
    """Average the scores of a method that was run several times, with different seeds.

    Parameters
    ----------
    confusions : ndarray of int64, shape (n_runs, n_micrographs, n_classes, n_classes)
    classes : tuple of str
    samples : sequence of int, optional
        As of `conventions`.

    Returns
    -------
    dict of str to ConventionScore
        Of the mean over runs of each micrograph's scores; pooled over the pixels of all runs.

    Examples
    --------
    >>> runs = np.array([[[[9, 1], [0, 0]]], [[[8, 2], [0, 0]]]])
    >>> round(of_runs(runs, ("matrix", "particle"))["paper"].AC.mean, 2)
    0.85
    """
    by_name = {}
    for name, where_annotated in (("paper", False), ("present", True)):
        columns = [Scores(run, where_annotated=where_annotated).columns for run in confusions]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # undefined in all runs: NaN on purpose
            values = np.nanmean(columns, axis=0)
        by_name[name] = _convention(estimates(values, samples, within=(0.0, 1.0)), classes)
    pooled = conventions(confusions.sum(0), classes)["pooled"]
    return by_name | {"pooled": pooled}


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


def _means(
    scores: Scores, classes: tuple[str, ...], samples: Sequence[int] | None
) -> ConventionScore:
    return _convention(estimates(scores.columns, samples, within=(0.0, 1.0)), classes)


def estimates(
    values: NDArray[np.float64],
    samples: Sequence[int] | None = None,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> list[MeanScore]:
    """Average each column over the micrographs that define it.

    Parameters
    ----------
    values : ndarray of float64, shape (n_micrographs, n_columns)
        NaN where undefined.
    samples : sequence of int, optional
        As of `conventions`.
    within : tuple of float, optional
        What a value can be; an interval reaches no further.

    Returns
    -------
    list of MeanScore
        One of each column.
    """
    n = (~np.isnan(values)).sum(0)
    with warnings.catch_warnings():
        # A column without values has no mean, one with a single value no deviation: NaN on purpose.
        warnings.simplefilter("ignore", RuntimeWarning)
        averages = np.nanmean(values, axis=0)
        errors = np.nanstd(values, axis=0, ddof=1) / np.sqrt(n)
    return _named_estimates(
        averages,
        errors,
        n,
        np.clip(means.bootstrap_t_interval(values), *within),
        np.clip(_by_sample(values, n, samples), *within),
    )


def _by_sample(
    values: NDArray[np.float64], n: NDArray[np.int64], samples: Sequence[int] | None
) -> NDArray[np.float64]:
    if samples is None:
        return np.full((values.shape[1], 2), np.nan)
    ends = means.cluster_interval(values, samples)
    ends[n < means.FEWEST] = np.nan
    return ends


def _pooled(confusions: NDArray[np.int64], classes: tuple[str, ...]) -> ConventionScore:
    flat = confusions.reshape(len(confusions), -1).astype(float)

    def scores(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return Scores((weights @ flat).reshape(-1, *confusions.shape[1:])).columns

    whole = scores(np.ones((1, len(confusions))))[0]
    none = np.full((len(whole), 2), np.nan)
    ends = none
    if len(confusions) >= means.FEWEST:
        influences = means.influences(scores, len(confusions))
        ends = means.bootstrap_t_interval(influences, means.NOMINAL_OF_POOLED)
    n = np.full(whole.shape, len(confusions))
    no_errors = np.full(whole.shape, np.nan)
    return _convention(
        _named_estimates(whole, no_errors, n, np.clip(ends, 0.0, 1.0), none), classes
    )


def _named_estimates(
    averages: NDArray[np.float64],
    standard_errors: NDArray[np.float64],
    n: NDArray[np.int64],
    ends: NDArray[np.float64],
    ends_by_sample: NDArray[np.float64],
) -> list[MeanScore]:
    columns = zip(averages, standard_errors, n, ends, ends_by_sample, strict=True)
    return [
        MeanScore(
            mean=none_if_nan(mean),
            se=none_if_nan(error),
            n=int(count),
            ci95=_interval(by_micrograph),
            ci95_samples=_interval(by_sample),
        )
        for mean, error, count, by_micrograph, by_sample in columns
    ]


def _interval(ends: NDArray[np.float64]) -> tuple[float, float] | None:
    low, high = ends.tolist()
    return None if math.isnan(low) or math.isnan(high) else (low, high)


def _convention(scores: Sequence[MeanScore], classes: tuple[str, ...]) -> ConventionScore:
    """Name the columns of `Scores.columns`."""
    columns = iter(scores)
    overall = {score.name: next(columns) for score in OVERALL_SCORES}
    by_class = {score.name: [next(columns) for _ in classes] for score in CLASS_SCORES}
    return ConventionScore(
        classes={
            name: ClassMeans(**{score: values[label] for score, values in by_class.items()})
            for label, name in enumerate(classes)
        },
        **overall,
    )
