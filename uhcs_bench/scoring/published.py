"""Scores by the protocols of later papers: other micrographs, other means, other pixels.

The protocols are data, in ``published.json``: which micrographs, pooled or averaged, what was
reported, and what is wrong with it. A score by one of them can be compared with what its paper
reports, as far as the protocol could be followed, and with nothing else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import formatting, protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UsageError
from uhcs_bench.io.texts import packaged
from uhcs_bench.metrics.confusion import confusion_matrix
from uhcs_bench.metrics.table import named_scores
from uhcs_bench.scoring.conventions import conventions
from uhcs_bench.scoring.submission import read_submission

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.scoring.submission import Submission

SCHEMA = "uhcs-bench/published-protocol/1"


@dataclass(frozen=True)
class PublishedProtocol:
    """How a later paper scored.

    Attributes
    ----------
    name : str
    title, authors, url : str
        Of the source.
    task : str
    ids : tuple of str
        Micrographs that are scored.
    pooled : bool
        Whether one confusion matrix is summed over all pixels; else scores are averaged over
        micrographs.
    side_px : int or None
        Size that label maps are resized to, rows and columns.
    reported : dict of str to float
        Published numbers, fractions, by metric, or metric and class.
    defects : tuple of str
        What is known to be wrong with the protocol.
    not_followed : tuple of str
        Where a score by this module differs from the published protocol.
    """

    name: str
    title: str
    authors: str
    url: str
    task: protocol.TaskName
    ids: tuple[str, ...]
    pooled: bool
    side_px: int | None
    reported: dict[str, float]
    defects: tuple[str, ...]
    not_followed: tuple[str, ...]


@dataclass(frozen=True)
class PublishedScore:
    """Scores of a submission by the protocol of a later paper.

    Attributes
    ----------
    by : PublishedProtocol
    scores : dict of str to float
        Fractions, by metric, or metric and class; those that the label maps define.
    """

    by: PublishedProtocol
    scores: dict[str, float]

    def to_json(self) -> str:
        """Text of the JSON output."""
        content: dict[str, Any] = {"schema": SCHEMA, "protocol": asdict(self.by)}
        return json.dumps({**content, "scores": self.scores}, indent=1, allow_nan=False)

    def to_text(self) -> str:
        """Lay the scores out beside the published ones, with what is wrong with the protocol."""
        by = self.by
        mean = "one confusion matrix over all pixels" if by.pooled else "mean over micrographs"
        head = f"{by.name}: {by.title}. {by.authors}. {by.url}"
        rows = [
            [name, formatting.percent(value), formatting.percent(by.reported.get(name))]
            for name, value in self.scores.items()
        ]
        table = formatting.table([f"{by.task}, %", "here", "published"], rows)
        what = f"Micrographs {', '.join(by.ids)}; {mean}."
        notes = [*by.defects, *(f"Not followed: {note}" for note in by.not_followed)]
        lines = [fill(head, 80), fill(what, 80), "", table, ""]
        lines += [fill(f"- {note}", 80, subsequent_indent="  ") for note in notes]
        return "\n".join(lines)


@cache
def protocols() -> dict[str, PublishedProtocol]:
    """Read the protocols of later papers, by name.

    Examples
    --------
    >>> list(protocols())
    ['matsam2024', 'matseg2022', 'con2net2023']
    """
    contents: dict[str, dict[str, Any]] = json.loads(packaged("scoring/published.json"))
    for content in contents.values():
        content.update({key: tuple(content[key]) for key in ("ids", "defects", "not_followed")})
    return {name: PublishedProtocol(name=name, **content) for name, content in contents.items()}


def score_as(
    predictions: str | os.PathLike[str] | Mapping[str, ArrayLike],
    name: str,
    *,
    follow_links: bool = False,
) -> PublishedScore:
    """Score predicted label maps as a later paper did.

    Parameters
    ----------
    predictions : path or mapping of str to array_like
        As of `uhcs_bench.score`; maps of other micrographs are left unread.
    name : str
        One of `protocols`.
    follow_links : bool, optional
        As of `uhcs_bench.score`.

    Returns
    -------
    PublishedScore

    Raises
    ------
    UsageError
        If there is no such protocol.
    SubmissionError
        If anything is wrong with the predictions.
    DataUnavailableError
        If the annotations could not be had from any source.
    """
    found = protocols().get(name)
    if found is None:
        raise UsageError(
            f"There is no protocol {name!r}. The protocols are {', '.join(protocols())}."
        )
    (submission,) = read_submission(
        predictions,
        found.task,
        only=frozenset(found.ids),
        any_training=True,
        follow_links=follow_links,
    )
    return PublishedScore(found, scores_by(found, submission))


def scores_by(by: PublishedProtocol, submission: Submission) -> dict[str, float]:
    """Compute the scores of label maps that have been read.

    Parameters
    ----------
    by : PublishedProtocol
    submission : Submission
        Label maps of its micrographs.

    Returns
    -------
    dict of str to float
        As `PublishedScore.scores`.
    """
    classes = protocol.TASKS[by.task].classes
    confusions = np.array(
        [
            confusion_matrix(
                _resized(m.labels, by.side_px),
                _resized(submission.maps[m.id], by.side_px),
                len(classes),
            )
            for m in dataset.micrographs(submission.entries)
        ]
    )
    found = conventions(confusions, classes)["pooled" if by.pooled else "paper"]
    return {
        " ".join(filter(None, (metric, class_name))): value.mean
        for metric, class_name, value in named_scores(found)
        if value.mean is not None
    }


def _resized(labels: NDArray[np.uint8], side_px: int | None) -> NDArray[np.uint8]:
    """Resize a label map to a square by nearest neighbours."""
    if side_px is None:
        return labels
    rows, columns = (
        ((np.arange(side_px) + 0.5) * length / side_px).astype(int) for length in labels.shape
    )
    return labels[np.ix_(rows, columns)]
