"""Compare submissions that are scored already, or score them first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, get_args

from uhcs_bench import protocol
from uhcs_bench.errors import SubmissionError, UsageError
from uhcs_bench.io import paths
from uhcs_bench.scoring import comparison
from uhcs_bench.scoring.results import Report, Resampled
from uhcs_bench.scoring.score import score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from uhcs_bench.scoring.comparison import Comparison

    Submission = Report | str | os.PathLike[str] | Mapping[str, ArrayLike]


def compare(
    a: Submission,
    b: Submission,
    *others: Submission,
    names: Sequence[str] | None = None,
    task: str | None = None,
    fold: int | None = None,
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
    resample: Resampled = "micrographs",
    follow_links: bool = False,
) -> Comparison:
    """Compare two or more submissions micrograph by micrograph.

    Parameters
    ----------
    a, b, *others : Report, path, or mapping of str to array_like
        Results of `score`, or what `score` takes: a folder of label maps, or the maps by id.
    names : sequence of str, optional
        Names of the submissions. By default those of their folders, else ``"a"``, ``"b"``, ...
    task, fold, version, split
        As of `score`, for submissions that are not scored yet.
    resample : {'micrographs', 'samples'}, optional
        Unit of intervals and tests.
    follow_links : bool, optional
        As of `uhcs_bench.score`.

    Returns
    -------
    Comparison
        For each pair and score the mean difference with a 95 % interval, and a paired test
        corrected by Holm's method for the number of pairs.

    Raises
    ------
    UsageError
        If names are not distinct, or the submissions were scored on different micrographs, data set
        versions or splits, or have no task in common.
    SubmissionError
        If anything is wrong with label maps; it lists all problems, each with the submission's
        name.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> fold = load("particles", fold=2, version="synthetic")
    >>> truth = {m.id: m.labels for m in fold.val}
    >>> nothing = {m.id: 0 * m.labels for m in fold.val}
    >>> found = compare(truth, nothing, names=["truth", "nothing"], fold=2, version="synthetic")
    >>> accuracy = found.tasks[0].differences[0]
    >>> accuracy.metric, accuracy.n, accuracy.p_value  # two of the 2^4 patterns of signs
    ('AC', 4, 0.125)
    >>> accuracy.separable
    False
    """
    if resample not in get_args(Resampled):
        raise UsageError(
            f"Intervals are not by {resample!r}. Choose {' or '.join(get_args(Resampled))}."
        )
    submissions = (a, b, *others)
    labels = _names(submissions, names)
    reports, problems = {}, []
    for label, found in zip(labels, submissions, strict=True):
        try:
            reports[label] = (
                found
                if isinstance(found, Report)
                else score(found, task, fold, version, split, follow_links=follow_links)
            )
        except SubmissionError as error:
            where = error.where if isinstance(found, str | os.PathLike) else label
            problems += [f"{where}: {problem}" for problem in error.problems]
    if problems:
        raise SubmissionError("The comparison", problems, "made")
    return comparison.compare(reports, resample)


def _names(submissions: Sequence[Submission], names: Sequence[str] | None) -> list[str]:
    if names is None:
        found = [_name(submission, index) for index, submission in enumerate(submissions)]
        if len(set(found)) < len(found):
            found = [f"{name} ({index})" for index, name in enumerate(found, start=1)]
        return found
    given = [*names] if isinstance(names, Iterable) and not isinstance(names, str) else []
    texts = {name for name in given if isinstance(name, str)}
    if not len(texts) == len(given) == len(submissions):
        raise UsageError(
            f"The names {names!r} don't name {len(submissions)} submissions. Give a list of one "
            "distinct name for each."
        )
    return given


def _name(submission: Submission, index: int) -> str:
    if isinstance(submission, str | os.PathLike):
        return paths.given(submission).absolute().name or str(submission)
    return chr(ord("a") + index) if index < 26 else str(index + 1)
