"""Compare submissions micrograph by micrograph by paired tests.

With 24 micrographs most differences between methods are noise. Two submissions are scored on the
same micrographs, so that each micrograph gives one difference; an exact permutation
test, corrected for the number of pairs, decides whether their mean differs from zero.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from itertools import combinations, compress
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.formatting import TextFormat, abbreviated, interval, p_equals, percent
from uhcs_bench.scoring.results import named_scores
from uhcs_bench.stats import bootstrap
from uhcs_bench.stats.paired import holm, sign_flip_p_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from uhcs_bench.scoring.results import MicrographScore, Report, TaskScore

SCHEMA = "uhcs-bench/comparison/1"


@dataclass(frozen=True)
class Difference:
    """The mean difference of two submissions in one score, A - B.

    Attributes
    ----------
    a, b : str
        Names of the submissions.
    metric : str
        One of `uhcs_bench.metrics.table.SCORES`, or ``"KS"`` (1 where the size distributions are
        consistent, 0 where not).
    class_name : str or None
        None for a score over all classes.
    mean_a, mean_b, mean : float
        Means over those micrographs where both submissions have the score, and their difference;
        fractions in [0, 1].
    ci95 : tuple of float, or None
        Bootstrap confidence interval of the mean difference.
    p_value : float
        Of `sign_flip_p_value`.
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
    p_value: float
    p_holm: float
    n: int
    n_better: int
    n_worse: int
    micrographs: dict[str, float]

    __repr__ = abbreviated

    @property
    def separable(self) -> bool:
        """Whether the difference is significant at the protocol's level."""
        return self.p_holm < 1 - protocol.CONFIDENCE

    @property
    def sentence(self) -> str:
        """The conclusion in words."""
        name = f"{self.metric} of {self.class_name}" if self.class_name else self.metric
        numbers = p_equals(self.p_holm)
        if self.ci95 is not None:
            numbers = f"95 % {interval(self.ci95, signed=True)}, {numbers}"
        if self.separable:
            better, worse = (self.a, self.b) if self.mean > 0 else (self.b, self.a)
            verdict = f"{better} is better than {worse}"
        else:
            verdict = f"{self.a} and {self.b} are not separable"
        points = f"{percent(self.mean, signed=True)} points"
        return f"{name}: {verdict} at n = {self.n} ({points}, {numbers})."


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
    names : list of str
        Of the submissions.
    tasks : list of TaskComparison
    """

    dataset_version: str
    split: str
    names: list[str]
    tasks: list[TaskComparison]
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
        from uhcs_bench.scoring import text

        return tables.frame(text.COMPARISON_CSV_COLUMNS, text.comparison_csv_rows(self))

    def _repr_html_(self) -> str:
        from uhcs_bench.scoring import text

        return text.comparison_to_html(self)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        tasks = ", ".join(f"{task.task} (n = {task.n_images})" for task in self.tasks)
        version = f"{self.dataset_version}, split {self.split}"
        return f"<Comparison of {', '.join(self.names)} on {tasks}; {version}>"

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


def compare(reports: Mapping[str, Report]) -> Comparison:
    """Compare scored submissions pair by pair.

    Scores of single micrographs follow the paper's convention.

    Parameters
    ----------
    reports : mapping of str to Report
        At least two, by the submissions' names, scored on the same micrographs.

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
            tasks.append(_compare_task(scores))
    if not tasks:
        raise UsageError(f"The submissions {', '.join(reports)} have no task in common.")
    first = next(iter(reports.values()))
    return Comparison(first.dataset_version, first.split, list(reports), tasks)


def _compare_task(scores: Mapping[str, TaskScore]) -> TaskComparison:
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
    differences = []
    for column in next(iter(tables.values())):
        family = [
            difference
            for a, b in combinations(scores, 2)
            if (difference := _difference(a, b, column, tables, ids)) is not None
        ]
        corrected = holm([difference.p_value for difference in family])
        differences += [
            replace(difference, p_holm=p) for difference, p in zip(family, corrected, strict=True)
        ]
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


def _difference(
    a: str,
    b: str,
    column: Column,
    tables: Mapping[str, Mapping[Column, NDArray[np.float64]]],
    ids: Sequence[str],
) -> Difference | None:
    scores_a, scores_b = tables[a][column], tables[b][column]
    both = ~np.isnan(scores_a) & ~np.isnan(scores_b)
    if not both.any():
        return None
    values = (scores_a - scores_b)[both]

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((weights @ values / weights.sum(1))[:, np.newaxis])

    low, high = (float(end) for end in bootstrap.bootstrap_interval(mean, range(len(values)))[0])
    p_value = sign_flip_p_value(values)
    return Difference(
        a=a,
        b=b,
        metric=column[0],
        class_name=column[1],
        mean_a=float(scores_a[both].mean()),
        mean_b=float(scores_b[both].mean()),
        mean=float(values.mean()),
        ci95=None if np.isnan(low) else (low, high),
        p_value=p_value,
        p_holm=p_value,
        n=len(values),
        n_better=int((values > 0).sum()),
        n_worse=int((values < 0).sum()),
        micrographs=dict(zip(compress(ids, both), values.tolist(), strict=True)),
    )
