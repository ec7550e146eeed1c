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

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from uhcs_bench import protocol
from uhcs_bench._version import __version__
from uhcs_bench.data import dataset, splits
from uhcs_bench.errors import UsageError
from uhcs_bench.metrics import particle_sizes
from uhcs_bench.metrics.pair import MapPair
from uhcs_bench.scoring import extended as measures
from uhcs_bench.scoring.conventions import Scores, conventions, estimates
from uhcs_bench.scoring.results import (
    ClassScore,
    MeanScore,
    MicrographScore,
    Report,
    Resampled,
    SizeDistributionScore,
    SizeDistributionTest,
    TaskScore,
)
from uhcs_bench.scoring.submission import Submission, read_submission
from uhcs_bench.stats import proportions
from uhcs_bench.stats.standard_errors import overall_errors
from uhcs_bench.stats.undefined import none_if_nan

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from uhcs_bench.data.micrograph import Micrograph


def score(
    predictions: str | os.PathLike[str] | Mapping[str, ArrayLike],
    task: str | None = None,
    fold: int | None = None,
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
    resample: Resampled = "micrographs",
    extended: bool = False,
    *,
    ks_sensitivity: bool = False,
    follow_links: bool = False,
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
    resample : {'micrographs', 'samples'}, optional
        Unit of the confidence intervals where tables and pages show one: micrographs, or
        heat-treated samples, whose micrographs resemble each other. A `Report` holds both.
    extended : bool, optional
        Also measure boundaries, denuded zones and single particles.
    ks_sensitivity : bool, optional
        Also test particle sizes for forty ways of counting particles, which takes longest; see
        `uhcs_bench.metrics.particle_sizes.ks_sensitivity`.
    follow_links : bool, optional
        Whether a link in the folder may lead to a file outside of it, as DVC, git-annex and the
        Hugging Face cache lay files. Only regular files are read. By default it is refused.

    Returns
    -------
    Report

    Raises
    ------
    SubmissionError
        If anything is wrong with the predictions; it lists all problems of all files.
    UsageError
        If there is no such task, fold, version, split or `resample`.
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
    if resample not in get_args(Resampled):
        raise UsageError(
            f"Intervals are not by {resample!r}. Choose {' or '.join(get_args(Resampled))}."
        )
    submissions = read_submission(
        predictions, task, fold, version, split, follow_links=follow_links, of_parts=True
    )
    return score_submissions(
        submissions, resample, extended=extended, ks_sensitivity=ks_sensitivity
    )


def score_submissions(
    submissions: Sequence[Submission],
    resample: Resampled = "micrographs",
    *,
    extended: bool = False,
    ks_sensitivity: bool = False,
) -> Report:
    """Score label maps that have been read and checked.

    Parameters
    ----------
    submissions : sequence of Submission
        At least one, all for one data set version and split; see
        `uhcs_bench.scoring.submission.read_submission`.
    resample : {'micrographs', 'samples'}, optional
        As of `score`.
    extended, ks_sensitivity : bool, optional
        As of `score`.

    Returns
    -------
    Report

    Raises
    ------
    DataUnavailableError
        If the annotations could not be had from any source.
    """
    options = _Options(extended, ks_sensitivity)
    return Report(
        scorer_version=__version__,
        dataset_version=submissions[0].version,
        split=submissions[0].split,
        resampled=resample,
        training_split=submissions[0].training_split,
        training_subsets=submissions[0].training_subsets,
        other_runs=submissions[0].other_runs,
        tasks=[_score_task(submission, options) for submission in submissions],
    )


@dataclass(frozen=True)
class _Options:
    """What to measure beside the paper's scores."""

    extended: bool
    ks_sensitivity: bool


def _score_task(submission: Submission, options: _Options) -> TaskScore:
    truth = dataset.Dataset(
        submission.task,
        submission.version,
        dataset.micrographs(submission.entries),
        submission.split,
    )
    classes = submission.task.classes
    folds = [micrograph.fold for micrograph in truth]
    samples = splits.sample_numbers(submission.entries)
    confusions = np.zeros((len(truth), len(classes), len(classes)), np.int64)
    tests: list[SizeDistributionTest] = []
    measured: list[dict[measures.Key, float]] = []
    sensitivities: list[tuple[particle_sizes.SizeTest, ...]] = []
    slow = options.extended or options.ks_sensitivity
    for index, micrograph in enumerate(_with_progress(truth, slow)):
        pair = MapPair(
            micrograph.labels,
            submission.maps[micrograph.id],
            len(classes),
            micrograph.pixel_size_um,
        )
        confusions[index] = pair.confusion
        measured.append(measures.measure(pair, submission.task, extended=options.extended))
        if submission.task.has_particles:
            tests.append(_test_sizes(pair))
            if options.ks_sensitivity:
                sensitivities.append(particle_sizes.ks_sensitivity(pair.annotated, pair.predicted))
    mean_measures = measures.nested(_mean_measures(measured, samples))
    if sensitivities:
        mean_measures["ks_sensitivity"] = measures.sensitivity_rows(sensitivities)
    scores = Scores(confusions)
    images = [
        MicrographScore(
            id=micrograph.id,
            fold=micrograph.fold,
            classes={
                name: ClassScore(
                    **{
                        score: none_if_nan(values[index, label])
                        for score, values in scores.by_class.items()
                    }
                )
                for label, name in enumerate(classes)
            },
            confusion=confusions[index].tolist(),
            measures=measures.nested({k: none_if_nan(v) for k, v in measured[index].items()}),
            psd=tests[index] if tests else None,
            **{score: float(values[index]) for score, values in scores.overall.items()},
        )
        for index, micrograph in enumerate(truth)
    ]
    return TaskScore(
        task=submission.task.name,
        data_id=truth.data_id,
        folds=sorted(set(folds)),
        n_images=len(truth),
        samples=samples,
        conventions=conventions(confusions, classes, samples),
        IU_errors=overall_errors(scores.by_class["IU"]),
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
    measured: Sequence[Mapping[measures.Key, float]], samples: Sequence[int]
) -> dict[measures.Key, MeanScore]:
    columns = {key: np.array([found[key] for found in measured]) for key in measured[0]}
    for key in [key for key in columns if measures.is_signed(key)]:
        *path, name = key
        columns[*path, f"{name}_abs"] = np.abs(columns[key])
    return dict(zip(columns, estimates(np.stack(list(columns.values()), 1), samples), strict=True))


def _test_sizes(pair: MapPair) -> SizeDistributionTest:
    areas_true, areas_pred = pair.areas
    statistic, p_value, consistent = pair.size_test
    return SizeDistributionTest(
        ks_statistic=none_if_nan(statistic),
        p_value=none_if_nan(p_value),
        n_true=len(areas_true),
        n_pred=len(areas_pred),
        consistent=consistent,
    )


def _consistency(tests: list[SizeDistributionTest]) -> SizeDistributionScore:
    n_consistent = sum(test.consistent for test in tests)
    return SizeDistributionScore(
        ks_score=n_consistent / len(tests),
        n_consistent=n_consistent,
        n=len(tests),
        alpha=protocol.KS_ALPHA,
        ci95=proportions.proportion_interval(n_consistent, len(tests)),
    )
