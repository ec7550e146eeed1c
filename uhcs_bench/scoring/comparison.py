"""Compare submissions micrograph by micrograph by paired tests.

Two submissions are scored on the same micrographs, so that each micrograph gives one difference. A
paired test, corrected for the number of pairs of submissions, and the interval of the mean
difference decide together whether it differs from zero.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations, compress
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.formatting import TextFormat, abbreviated, interval, p_equals, percent
from uhcs_bench.metrics.table import named_scores
from uhcs_bench.stats import means
from uhcs_bench.stats.differences import (
    FEWEST,
    agreeing,
    difference_interval,
    dominating,
    excludes_zero,
)
from uhcs_bench.stats.means import COVERAGE
from uhcs_bench.stats.paired import holm, sign_flip_p_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from uhcs_bench.scoring.results import MicrographScore, Report, Resampled, TaskScore

SCHEMA = "uhcs-bench/comparison/2"

_COUNTS = "A:B: micrographs where A is higher, and where B is; equal ones are not counted."


@dataclass(frozen=True)
class Difference:
    """The mean difference of two submissions in one score, A - B.

    Attributes
    ----------
    a, b : str
        Names of the submissions.
    metric : str
        One of `uhcs_bench.metrics.table.SCORES`, or ``"KS"`` (1 where the test does not reject that
        the sizes have one distribution, 0 where it does).
    class_name : str or None
        None for a score over all classes.
    mean_a, mean_b, mean : float
        Means over those micrographs where both submissions have the score, and their difference;
        fractions in [0, 1].
    ci95 : tuple of float, or None
        Confidence interval of the mean difference. By micrograph that of
        `uhcs_bench.stats.differences.difference_interval`, by heat-treated sample that of
        `uhcs_bench.stats.means.cluster_interval`; stretched to 0 where the test does not reject 0.
    no_interval : str or None
        Why there is no interval.
    p_value : float
        By micrograph of `uhcs_bench.stats.paired.sign_flip_p_value`, by heat-treated sample of
        `uhcs_bench.stats.means.cluster_p_value`.
    p_holm : float
        The same, corrected by Holm's method for the number of pairs of submissions.
    n, n_better, n_worse : int
        Micrographs, those where A is higher, those where it is lower.
    micrographs : dict of str to float
        The difference on each micrograph.
    """

    a: str
    b: str
    metric: str
    class_name: str | None
    mean_a: float
    mean_b: float
    mean: float
    ci95: tuple[float, float] | None
    no_interval: str | None
    p_value: float
    p_holm: float
    n: int
    n_better: int
    n_worse: int
    micrographs: dict[str, float]

    __repr__ = abbreviated

    @property
    def separable(self) -> bool:
        """Whether the test rejects 0 at the protocol's level, and the interval excludes it."""
        return self.p_holm < 1 - protocol.CONFIDENCE and excludes_zero(self.ci95)

    @property
    def sentence(self) -> str:
        """The conclusion in words, in the direction of the difference."""
        name = f"{self.metric} of {self.class_name}" if self.class_name else self.metric
        sign = 1 if self.mean >= 0 else -1
        higher, lower = (self.a, self.b)[::sign]
        points = f"{percent(abs(self.mean))} points"
        if self.separable:
            verdict = f"{higher} is better than {lower} by {points}"
            return f"{name}: {verdict} at n = {self.n} ({self._numbers(sign)})."
        verdict = f"{self.a} and {self.b} are not separable"
        difference = f"{higher} higher by {points}" if percent(self.mean) != "0.0" else points
        return f"{name}: {verdict} at n = {self.n} ({difference}, {self._numbers(sign)})."

    def _numbers(self, sign: int) -> str:
        if self.ci95 is None:
            return f"no interval: {self.no_interval}; {p_equals(self.p_holm)}"
        ends = tuple(sorted(sign * end for end in self.ci95))
        return f"95 % {interval((ends[0], ends[1]), signed=True)}, {p_equals(self.p_holm)}"


@dataclass(frozen=True)
class TaskComparison:
    """All differences on one task, pair by pair, on the annotations that `data_id` names."""

    task: str
    data_id: str
    n_images: int
    differences: list[Difference]

    __repr__ = abbreviated


@dataclass(frozen=True)
class Comparison:
    """Submissions compared on the tasks that all of them have.

    Attributes
    ----------
    dataset_version : str
    split : str
    resampled : {'micrographs', 'samples'}
        Unit of intervals and tests.
    names : list of str
        Of the submissions.
    tasks : list of TaskComparison
    other_runs : dict of str to tuple of str
        By the name of a submission, folders of further runs of its method, which were not compared;
        see `Report`.
    """

    dataset_version: str
    split: str
    resampled: Resampled
    names: list[str]
    tasks: list[TaskComparison]
    other_runs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    schema: str = SCHEMA

    def to_text(self, form: TextFormat = "table") -> str:
        """Lay the differences out as ``uhcs-bench compare`` prints them."""
        from uhcs_bench.scoring import text

        return text.comparison_to_text(self, form)

    def to_frame(self) -> pd.DataFrame:
        """Give all differences as one tidy table, fractions in [0, 1].

        Returns
        -------
        pandas.DataFrame
            The table of ``uhcs-bench compare --format csv``; rows without a ``micrograph`` hold
            means.

        Raises
        ------
        MissingPackageError
            If pandas is not installed.
        """
        from uhcs_bench.io import tables
        from uhcs_bench.scoring import tidy

        return tables.frame(tidy.COMPARISON_CSV_COLUMNS, tidy.comparison_csv_rows(self))

    def _repr_html_(self) -> str:
        from uhcs_bench.scoring import text

        return text.comparison_to_html(self)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        tasks = ", ".join(f"{task.task} (n = {task.n_images})" for task in self.tasks)
        version = f"{self.dataset_version}, split {self.split}"
        return f"<Comparison of {', '.join(self.names)} on {tasks}; {version}>"

    @property
    def note(self) -> str:
        """Sentences that state what columns, intervals and tests rest on, and which runs."""
        return " ".join([*self._runs_compared(), _COUNTS, self._basis()])

    def _runs_compared(self) -> Iterator[str]:
        for name, others in self.other_runs.items():
            yield (
                f"{name}: one run of {1 + len(others)}, whose maps are in its folder itself; not "
                f"compared: {', '.join(others)}. A method's score on the board is the mean of its "
                "runs."
            )

    def _basis(self) -> str:
        """Sentences that state what intervals and tests rest on."""
        if self.resampled == "samples":
            return (
                "95 %: cluster-robust, by heat-treated sample, as is the test; p corrected by "
                "Holm. Coverage: docs/intervals.md."
            )
        return (
            "95 %: bootstrap-t by micrograph, of verdicts (KS) Tango's score interval; p: exact "
            "test of signs, corrected by Holm. Both take micrographs as independent; --resample "
            "samples takes heat-treated samples. In simulations the intervals hold "
            f"{100 * COVERAGE:.0f} % or more, but fewer where a rare micrograph carries the "
            "difference (docs/intervals.md)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, with the sentence of each difference."""
        content = asdict(self)
        for task, plain in zip(self.tasks, content["tasks"], strict=True):
            for difference, record in zip(task.differences, plain["differences"], strict=True):
                record["sentence"] = difference.sentence
        return {"schema": content.pop("schema"), **content}

    def to_json(self) -> str:
        """Text of the JSON output."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)


def compare(reports: Mapping[str, Report], resample: Resampled = "micrographs") -> Comparison:
    """Compare scored submissions pair by pair.

    Scores of single micrographs follow the paper's convention.

    Parameters
    ----------
    reports : mapping of str to Report
        At least two, by the submissions' names, scored on the same micrographs.
    resample : {'micrographs', 'samples'}, optional
        Unit of intervals and tests: micrographs, or heat-treated samples, whose micrographs
        resemble each other.

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        If there are fewer than two, they have no task in common, or they were scored on different
        micrographs, data set versions or splits.

    Examples
    --------
    >>> import uhcs_bench
    >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
    >>> def scored(maps):
    ...     return uhcs_bench.score(maps, fold=2, version="synthetic")
    >>> truth = scored({m.id: m.labels for m in fold.val})
    >>> nothing = scored({m.id: 0 * m.labels for m in fold.val})
    >>> comparison = compare({"truth": truth, "nothing": nothing})
    >>> comparison.tasks[0].differences[0].p_value  # two of the 2^4 patterns of signs
    0.125
    """
    if len(reports) < 2:
        raise UsageError("A comparison needs at least two submissions.")
    if len({report.dataset_version for report in reports.values()}) > 1:
        raise UsageError("The submissions were scored on different data set versions.")
    if len({report.split for report in reports.values()}) > 1:
        raise UsageError("The submissions were scored on different splits.")
    tasks = []
    for name in protocol.TASKS:
        scores = {
            submission: task
            for submission, report in reports.items()
            for task in report.tasks
            if task.task == name
        }
        if len(scores) == len(reports):
            tasks.append(_compare_task(scores, resample))
    if not tasks:
        raise UsageError(f"The submissions {', '.join(reports)} have no task in common.")
    first = next(iter(reports.values()))
    return Comparison(
        first.dataset_version,
        first.split,
        resample,
        list(reports),
        tasks,
        {name: report.other_runs for name, report in reports.items() if report.other_runs},
    )


def _compare_task(scores: Mapping[str, TaskScore], resample: Resampled) -> TaskComparison:
    first = next(iter(scores.values()))
    ids = [image.id for image in first.images]
    for name, task in scores.items():
        if [image.id for image in task.images] != ids:
            raise UsageError(f"{name} was scored on other micrographs of {first.task}.")
        if task.data_id != first.data_id:
            raise UsageError(
                f"{name} was scored against other annotations or folds of {first.task}: its data "
                f"id is {task.data_id}, not {first.data_id}."
            )
    tables = {name: _score_table(task) for name, task in scores.items()}
    samples = first.samples if resample == "samples" else None
    differences: list[Difference] = []
    for column in next(iter(tables.values())):
        family = [
            difference
            for a, b in combinations(scores, 2)
            if (difference := _difference(a, b, column, tables, ids, samples)) is not None
        ]
        corrected = holm([difference.p_value for difference in family])
        differences += map(_with_corrected, family, corrected)
    return TaskComparison(first.task, first.data_id, len(ids), differences)


Column = tuple[str, str | None]


def _score_table(task: TaskScore) -> dict[Column, NDArray[np.float64]]:
    """Scores by metric and class, one for each micrograph, NaN where undefined."""
    rows = [dict(_scores_of(image)) for image in task.images]
    return {
        column: np.array([np.nan if row[column] is None else row[column] for row in rows], float)
        for column in rows[0]
    }


def _scores_of(image: MicrographScore) -> Iterator[tuple[Column, float | None]]:
    for metric, class_name, value in named_scores(image):
        yield (metric, class_name), value
    if image.psd is not None:
        yield ("KS", None), float(image.psd.consistent)


def _with_corrected(difference: Difference, p_holm: float) -> Difference:
    """Set the corrected p-value, and the interval that agrees with it."""
    rejected = p_holm < 1 - protocol.CONFIDENCE
    return replace(difference, p_holm=p_holm, ci95=agreeing(difference.ci95, rejected=rejected))


def _difference(
    a: str,
    b: str,
    column: Column,
    tables: Mapping[str, Mapping[Column, NDArray[np.float64]]],
    ids: Sequence[str],
    samples: Sequence[int] | None,
) -> Difference | None:
    scores_a, scores_b = tables[a][column], tables[b][column]
    both = ~np.isnan(scores_a) & ~np.isnan(scores_b)
    if not both.any():
        return None
    values = (scores_a - scores_b)[both]
    names = list(compress(ids, both))
    ends: tuple[float, float] | None
    if samples is None:
        ends, p_value = (
            difference_interval(values, verdicts=column[0] == "KS"),
            sign_flip_p_value(values),
        )
        reason = None if ends else _no_interval(values, names)
    else:
        ends, p_value, reason = _by_sample(values, np.asarray(samples)[both])
    return Difference(
        a=a,
        b=b,
        metric=column[0],
        class_name=column[1],
        mean_a=float(scores_a[both].mean()),
        mean_b=float(scores_b[both].mean()),
        mean=float(values.mean()),
        ci95=ends,
        no_interval=reason,
        p_value=p_value,
        p_holm=p_value,
        n=len(values),
        n_better=int((values > 0).sum()),
        n_worse=int((values < 0).sum()),
        micrographs=dict(zip(names, values.tolist(), strict=True)),
    )


def _no_interval(values: NDArray[np.float64], names: Sequence[str]) -> str:
    if len(values) < FEWEST:
        return f"fewer than {FEWEST} micrographs"
    if np.ptp(values) == 0:
        return "all differences are equal"
    place = dominating(values)
    if place is not None:
        return f"{names[place]} carries more than half of the scatter"
    return "most differences are equal"


def _by_sample(
    values: NDArray[np.float64], samples: NDArray[np.int64]
) -> tuple[tuple[float, float] | None, float, str | None]:
    """Interval, p-value, and why there is no interval."""
    low, high = means.cluster_interval(values, samples).tolist()
    p_value = means.cluster_p_value(values, samples)
    if not np.isnan(low):
        return (low, high), p_value, None
    n_samples = len(set(samples.tolist()))
    if n_samples < means.FEWEST_CLUSTERS:
        return None, p_value, f"{n_samples} heat-treated samples are too few"
    return None, p_value, "all differences are equal"
