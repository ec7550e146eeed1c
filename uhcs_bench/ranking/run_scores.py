"""Scores of an entry's runs, looked up or computed, and a method's scores as the mean of its runs.

Runs of one method differ by their seeds. The method's score of a micrograph is the mean of its
runs' scores there, so that no method gains by a lucky seed.
"""

from __future__ import annotations

import types
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import cache as memoised
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from uhcs_bench import executors
from uhcs_bench.data import dataset, pixels
from uhcs_bench.ranking import fit
from uhcs_bench.scoring import conventions, results
from uhcs_bench.scoring import score as scoring
from uhcs_bench.scoring.submission import Submission
from uhcs_bench.stats.standard_errors import OverallErrors, overall_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uhcs_bench import protocol
    from uhcs_bench.ranking.entries.entry import LeaderboardEntry, RunMaps, TaskMaps
    from uhcs_bench.ranking.result_cache import Cache
    from uhcs_bench.scoring.results import ClassScore, MicrographScore, TaskScore


@dataclass(frozen=True)
class RunScore:
    """What was computed from the label maps of one run.

    Attributes
    ----------
    folder : str
        Of the run, in the entry.
    score : TaskScore
    measured : dict of str to list of float or None
        By measure of `uhcs_bench.ranking.fit.MEASURES`, a value of each micrograph; None where
        undefined.
    """

    folder: str
    score: TaskScore
    measured: dict[str, list[float | None]]


@dataclass(frozen=True)
class Truth:
    """The annotations that the entries of a group are scored against.

    Attributes
    ----------
    data_id : str
        See `uhcs_bench.Dataset.data_id`.
    sha256 : tuple of str
        Of each label map's pixels, as it was loaded.
    measured : dict of str to list of float or None
        As of `RunScore`.
    """

    data_id: str
    sha256: tuple[str, ...]
    measured: dict[str, list[float | None]]


def truth(entry: LeaderboardEntry, maps: TaskMaps, cache: Cache | None) -> Truth:
    """Load and measure the annotations that an entry is scored against.

    Raises
    ------
    DataUnavailableError
        If they could not be had from any source.
    """
    micrographs = dataset.micrographs(maps.expected)
    loaded = dataset.Dataset(maps.task, entry.version, micrographs, entry.split)
    hashes = tuple(pixels.pixel_sha256(micrograph.labels) for micrograph in micrographs)
    key = [maps.task.name, *hashes]
    measured = cache.get("annotations", key) if cache is not None else None
    if measured is None:
        measured = fit.measure([micrograph.labels for micrograph in micrographs], maps.task.name)
        if cache is not None:
            cache.put("annotations", key, measured)
    return Truth(loaded.data_id, hashes, measured)


@dataclass(frozen=True)
class Job:
    """A run to be scored.

    Attributes
    ----------
    scope : tuple of str
        Data set version and split.
    maps : TaskMaps
        Complete.
    run : RunMaps
    annotated : Truth
    """

    scope: tuple[protocol.Version, protocol.Split]
    maps: TaskMaps
    run: RunMaps
    annotated: Truth

    @property
    def key(self) -> list[str]:
        """What the scores depend on."""
        truth = self.annotated
        return [self.maps.task.name, *self.scope, truth.data_id, self.run.sha256, *truth.sha256]


def run_scores(jobs: Sequence[Job], cache: Cache | None, workers: int) -> list[RunScore]:
    """Score runs, or look their scores up.

    Parameters
    ----------
    jobs : sequence of Job
    cache : Cache or None
    workers : int
        Processes to score in, at most.

    Returns
    -------
    list of RunScore
        In the order of the jobs.

    Raises
    ------
    EntryError
        If a map changed since it was checked.
    DataUnavailableError
        If the annotations could not be had from any source.
    """
    kept = [None if cache is None else _kept(job, cache) for job in jobs]
    new = [job for job, found in zip(jobs, kept, strict=True) if found is None]
    computed = iter(executors.in_order(partial(run_score, cache=cache), new, workers))
    return [found or next(computed) for found in kept]


def _kept(job: Job, cache: Cache) -> RunScore | None:
    found = cache.get("scores", job.key)
    if found is None:
        return None
    score: TaskScore = from_plain(results.TaskScore, found["score"])
    return RunScore(job.run.folder, score, found["measured"])


def run_score(job: Job, cache: Cache | None = None) -> RunScore:
    """Score a run, and keep the scores in the cache if there is one; see `run_scores`."""
    task, (version, split) = job.maps.task, job.scope
    loaded = job.maps.load(job.run)
    submitted = Submission(task, version, job.maps.expected, loaded, split)
    # The means of further measures stand on no board.
    scored = replace(scoring.score_submissions([submitted])[task.name], measures={})
    measured = fit.measure(list(loaded.values()), task.name)
    if cache is not None:
        cache.put("scores", job.key, {"score": asdict(scored), "measured": measured})
    return RunScore(job.run.folder, scored, measured)


def from_plain(kind: Any, content: Any) -> Any:
    """Restore a value from what `dataclasses.asdict` and JSON made of it.

    Parameters
    ----------
    kind : type
        A dataclass, or what its fields hold.
    content : Any

    Examples
    --------
    >>> from_plain(results.MeanScore, {"mean": 0.5, "se": None, "n": 2, "ci95": [0.4, 0.6]}).ci95
    (0.4, 0.6)
    """
    if content is None:
        return None
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: from_plain(hints[name], value) for name, value in content.items()})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return from_plain(next(a for a in arguments if a is not type(None)), content)
    if origin is dict:
        return {key: from_plain(arguments[1], value) for key, value in content.items()}
    if origin is list:
        return [from_plain(arguments[0], value) for value in content]
    return tuple(content) if origin is tuple else content


@memoised
def _hints(kind: type) -> dict[str, Any]:
    from uhcs_bench.scoring import results as names

    hints = get_type_hints(kind, vars(names) | {"OverallErrors": OverallErrors})
    return {field.name: hints[field.name] for field in fields(kind)}


def mean_of_runs(runs: Sequence[RunScore], classes: tuple[str, ...]) -> TaskScore:
    """Average the scores of a method's runs.

    Parameters
    ----------
    runs : sequence of RunScore
        At least one, of the same micrographs.
    classes : tuple of str

    Returns
    -------
    TaskScore
        Scores of micrographs are means over runs; those of pooled pixels are over the pixels of all
        runs. Confusion matrices are sums over the runs. Tests of sizes are not averaged: there are
        none if there are several runs.
    """
    first = runs[0].score
    if len(runs) == 1:
        return first
    stacks = [np.array([image.confusion for image in run.score.images]) for run in runs]
    images = [_mean_image(alike) for alike in zip(*(run.score.images for run in runs), strict=True)]
    return replace(
        first,
        conventions=conventions.of_runs(np.stack(stacks), classes, first.samples),
        IU_errors=overall_errors(
            np.array([[image.classes[name].IU for name in classes] for image in images], float)
        ),
        psd=None,
        measures={},
        images=images,
    )


def _mean_image(alike: Sequence[MicrographScore]) -> MicrographScore:
    first = alike[0]
    return replace(
        first,
        AC=fmean(image.AC for image in alike),
        IU=fmean(image.IU for image in alike),
        classes={
            name: _mean_class([image.classes[name] for image in alike]) for name in first.classes
        },
        confusion=np.sum([image.confusion for image in alike], axis=0).tolist(),
        measures={},
        psd=None,
    )


def _mean_class(alike: Sequence[ClassScore]) -> ClassScore:
    def mean(name: str) -> float | None:
        known = [value for found in alike if (value := getattr(found, name)) is not None]
        return fmean(known) if known else None

    return replace(alike[0], **{field.name: mean(field.name) for field in fields(alike[0])})


def values_of(runs: Sequence[RunScore], pick: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Give a score of each run and micrograph, shape (n_runs, n_micrographs), NaN where None."""
    rows = [[pick(image) for image in run.score.images] for run in runs]
    return np.array(rows, float)


def measured_values(runs: Sequence[RunScore], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Give a measure of each run and micrograph, NaN where undefined."""
    return np.array([run.measured[name] for run in runs], float)
