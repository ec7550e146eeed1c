"""Check a published score: which data set version, split, mean and protocol it fits."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING

from uhcs_bench import formatting, protocol
from uhcs_bench.errors import SubmissionError, UsageError, things
from uhcs_bench.metrics.table import SCORES, named_scores
from uhcs_bench.scoring import published
from uhcs_bench.scoring.score import score_submissions
from uhcs_bench.scoring.submission import read_submission

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike

SCHEMA = "uhcs-bench/check/1"

# Unlike `float`: no underscores, no digits of other scripts, no names.
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")

_WIDEST = 0.5
"""Half a unit of a fraction's last digit that fits half of all scores, as that of IU=1."""


@dataclass(frozen=True)
class Claim:
    """A score as it is claimed.

    Attributes
    ----------
    metric : str
        One of `uhcs_bench.metrics.table.SCORES`, or ``"KS"``.
    class_name : str or None
        None for a score over all classes.
    value : float
        As a fraction.
    half_unit : float
        Half a unit of the last digit that was given, as a fraction: how far a score may be.
    text : str
        The claim as it was given.
    """

    metric: str
    class_name: str | None
    value: float
    half_unit: float
    text: str

    def fits(self, score: float) -> bool:
        """Whether a score rounds to the claimed value."""
        return abs(score - self.value) <= self.half_unit * (1 + 1e-9)


@dataclass(frozen=True)
class Reading:
    """One way to compute the claimed score.

    Attributes
    ----------
    task : str
    version, split : str
        Of the data set; empty for the protocol of a paper.
    mean : str
        Convention, or name of a paper's protocol.
    n : int
        Micrographs.
    score : float
    fits : bool
    """

    task: str
    version: str
    split: str
    mean: str
    n: int
    score: float
    fits: bool


@dataclass(frozen=True)
class CheckedClaim:
    """A claim and every reading of it, the nearest first."""

    claim: Claim
    readings: list[Reading]

    @property
    def fitting(self) -> list[Reading]:
        """The readings that fit within rounding."""
        return [reading for reading in self.readings if reading.fits]


@dataclass(frozen=True)
class Check:
    """Checked claims.

    Attributes
    ----------
    claims : list of CheckedClaim
    """

    claims: list[CheckedClaim]

    @property
    def confirmed(self) -> bool:
        """Whether each claim fits at least one reading."""
        return all(checked.fitting for checked in self.claims)

    def to_json(self) -> str:
        """Text of the JSON output."""
        content = [
            {"claim": asdict(c.claim), "readings": [asdict(r) for r in c.readings]}
            for c in self.claims
        ]
        return json.dumps({"schema": SCHEMA, "claims": content}, indent=1, allow_nan=False)

    def to_text(self) -> str:
        """Lay out the readings of each claim that fit, or else the three nearest."""
        return "\n\n".join(map(_text, self.claims))


def check(
    predictions: str | os.PathLike[str] | Mapping[str, ArrayLike],
    *claims: str,
    task: str | None = None,
    follow_links: bool = False,
) -> Check:
    """Compute a claimed score in every way that the benchmark knows.

    Parameters
    ----------
    predictions : path or mapping of str to array_like
        As of `score`.
    *claims : str
        Such as ``"IU=0.724"``, ``"AC=91.1"`` or ``"IU particle=54.8"``. Values above 1 are percent;
        the digits given say how far a score may be.
    task : str, optional
        Task that the claims are on. By default every task that the ids belong to.
    follow_links : bool, optional
        As of `uhcs_bench.score`.

    Returns
    -------
    uhcs_bench.scoring.claims.Check
        For each claim the scores under each data set version, split and convention, and under the
        protocols of later papers, that the label maps are complete for.

    Raises
    ------
    UsageError
        If a claim names no score, or no possible value of one.
    SubmissionError
        If anything is wrong with the predictions.
    DataUnavailableError
        If the annotations could not be had from any source.

    Examples
    --------
    >>> import uhcs_bench
    >>> nothing = {m.id: 0 * m.labels for m in uhcs_bench.load("particles", version="synthetic")}
    >>> found = check(nothing, "AC=0.849")
    >>> found.confirmed, found.claims[0].fitting[0].mean
    (True, 'paper')
    """
    if not claims:
        raise UsageError("There is no claim to check. Give one such as IU=0.724.")
    parsed = [parse(claim) for claim in claims]
    scored = list(_all_scores(predictions, task, follow_links))
    return Check([CheckedClaim(claim, _readings(claim, scored)) for claim in parsed])


def parse(text: str) -> Claim:
    """Read a claim.

    Raises
    ------
    UsageError
        If it has not the form METRIC=VALUE or METRIC CLASS=VALUE, there is no such metric or class,
        or the value is no score. All of these are listed.

    Examples
    --------
    >>> claim = parse("IU particle=54.8")
    >>> claim.metric, claim.class_name, round(claim.value, 3), round(claim.half_unit, 4)
    ('IU', 'particle', 0.548, 0.0005)
    """
    if not isinstance(text, str):
        raise UsageError(f"The claim {text!r} is no text. Give METRIC=VALUE, such as 'IU=0.724'.")
    name, _, number = text.partition("=")
    number = number.strip().removesuffix("%").strip()
    metric, _, class_name = name.strip().partition(" ")
    classes = {c for known in protocol.TASKS.values() for c in known.classes}
    spelling = {known.lower(): known for known in (*_METRICS, *_SYNONYMS)}
    known = spelling.get(metric.lower())
    problems = [] if known else [f"there is no metric {metric!r}"]
    if class_name.strip() not in {"", *classes}:
        problems.append(f"there is no class {class_name.strip()!r}")
    value, strange = _value(number)
    problems += filter(None, [strange])
    if known is None or problems:
        raise UsageError(
            f"The claim {text!r} can't be checked: {', and '.join(problems)}. Give METRIC=VALUE or "
            "'METRIC CLASS=VALUE', such as IU=0.724 or 'IU particle=54.8'; the metrics are "
            f"{', '.join(_METRICS)}, the classes {', '.join(sorted(classes))}."
        )
    scale = 100 if value > 1 or text.strip().endswith("%") else 1
    half = 0.5 * 10.0 ** int(Decimal(number).as_tuple().exponent) / scale
    if half >= _WIDEST:
        raise UsageError(
            f"The claim {text!r} states no decimals, so that it fits half of all scores. Give the "
            "digits that were published, such as IU=1.00, or percent, such as IU=100%."
        )
    return Claim(_SYNONYMS.get(known, known), class_name.strip() or None, value / scale, half, text)


def _value(number: str) -> tuple[float, str]:
    """Read the value of a claim, and say what is wrong with it; empty if nothing is."""
    if not number:
        return 0.0, "it states no value"
    if not _NUMBER.fullmatch(number):
        return 0.0, f"{number!r} is no number"
    value = float(number)
    if not 0 <= value <= 100:
        return value, f"a score lies between 0 and 1, or 0 and 100 percent, which {number} does not"
    return value, ""


_METRICS = (*(score.name for score in SCORES), "KS")
_SYNONYMS = {"IoU": "IU", "mIoU": "IU", "Jaccard": "IU", "accuracy": "AC", "acc": "AC"}

_Key = tuple[str, str | None]
_Scored = tuple[str, str, str, str, int, dict[_Key, float]]


def _all_scores(
    predictions: str | os.PathLike[str] | Mapping[str, ArrayLike],
    task: str | None,
    follow_links: bool,
) -> list[_Scored]:
    """List the scores in every way that the label maps are complete for."""
    problems: list[SubmissionError] = []
    found: list[_Scored] = []
    tasks = [protocol.task(task).name] if task else list(protocol.TASKS)
    for version, split, name in product(protocol.VERSIONS, protocol.SPLITS, tasks):
        if version == protocol.SYNTHETIC_VERSION and split != protocol.PAPER_SPLIT:
            continue  # all splits of the synthetic version are one
        try:
            found += _by_convention(predictions, name, version, split, follow_links)
        except SubmissionError as error:
            problems.append(error)
    if not found and problems:
        raise problems[0]
    for by in published.protocols().values():
        if by.task in tasks:
            try:
                scores = published.score_as(predictions, by.name, follow_links=follow_links).scores
            except SubmissionError:
                continue
            keyed = {_key(name): value for name, value in scores.items()}
            found.append((by.task, "", "", by.name, len(by.ids), keyed))
    return found


def _key(name: str) -> _Key:
    metric, _, class_name = name.partition(" ")
    return metric, class_name or None


def _by_convention(
    predictions: str | os.PathLike[str] | Mapping[str, ArrayLike],
    task: str,
    version: protocol.Version,
    split: protocol.Split,
    follow_links: bool,
) -> Iterator[_Scored]:
    submissions = read_submission(
        predictions, task, None, version, split, any_training=True, follow_links=follow_links
    )
    for scored in score_submissions(submissions).tasks:
        for convention, means in scored.conventions.items():
            values: dict[_Key, float] = {
                (metric, class_name): mean.mean
                for metric, class_name, mean in named_scores(means)
                if mean.mean is not None
            }
            if scored.psd is not None:
                values["KS", None] = scored.psd.ks_score
            yield scored.task, version, split, convention, scored.n_images, values


def _readings(claim: Claim, scored: Sequence[_Scored]) -> list[Reading]:
    found = [
        Reading(task, version, split, mean, n, values[key], claim.fits(values[key]))
        for task, version, split, mean, n, values in scored
        if (key := (claim.metric, claim.class_name)) in values
    ]
    return sorted(found, key=lambda reading: abs(reading.score - claim.value))


def _text(checked: CheckedClaim) -> str:
    shown = checked.fitting or checked.readings[:3]
    verdict = f"fits {things(len(checked.fitting), 'reading')} within rounding"
    if not checked.fitting:
        verdict = "fits no reading within rounding"
        verdict += "; the nearest are" if shown else ", and no label map defines it"
    head = f"{checked.claim.text}: {verdict}{':' if shown else '.'}"
    if not shown:
        return head
    rows = [
        [r.task, r.version or "-", r.split or "-", r.mean, str(r.n), f"{100 * r.score:.2f}"]
        for r in shown
    ]
    columns = ["task", "version", "split", "convention or protocol", "n", "%"]
    return f"{head}\n\n{formatting.table(columns, rows, align='left')}"
