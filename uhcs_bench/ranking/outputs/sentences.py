"""Sentences and cells that page and site of the board share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from uhcs_bench import formatting, protocol
from uhcs_bench.errors import things
from uhcs_bench.formatting import decimal, p_equals, percent
from uhcs_bench.ranking import fit
from uhcs_bench.ranking.board import METRICS
from uhcs_bench.ranking.pair_tests import MOST_LISTED
from uhcs_bench.scoring import coverage
from uhcs_bench.stats.means import COVERAGE, FEWEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uhcs_bench import paper
    from uhcs_bench.ranking.board import Group, Metric, Row
    from uhcs_bench.ranking.entries.entry import LeaderboardEntry
    from uhcs_bench.ranking.pair_tests import Pair, Ranks
    from uhcs_bench.ranking.split_changes import Comparison, SplitChange
    from uhcs_bench.scoring.results import MeanScore

RANK_RULE = (
    "A rank is a range. Two tests compare each pair of methods: an exact permutation test takes "
    "the micrographs as its unit, Student's t test the folds, whose micrographs share one model. "
    "Both are corrected by Holm's method for the number of pairs. A range reaches from one more "
    "than the number of methods that are significantly better to the number of methods less those "
    "that are significantly worse, each counted by whichever test finds fewer."
)

KS_LIMITS = (
    f"KS as the paper has it: the micrographs on which the test does not reject, at "
    f"{protocol.KS_ALPHA:.0%}".replace("%", " %")
    + ", that the two maps' sizes have one distribution. "
    "The distance that it rejects depends on the number of particles n: about 1.36 * sqrt(2 / n) "
    "for n in each map, so that it rejects less where there are few. Not rejected is no evidence "
    "of equal sizes."
)

FIT_RULE = (
    f"Measured on the annotation and on the predicted map in the same way. Particles are whole "
    f"components of {fit.MIN_AREA_PX} px or more. Bias is the mean relative error; "
    "then the micrographs within 10 % and within 20 % of the annotation's value, of those whose "
    "annotation has it."
)

UNSUPPORTED = "‡"

COVERAGE_NOTE = (
    f"Simulated samples held the mean inside such an interval in {100 * COVERAGE:.0f} % or more, "
    f"but for intervals with {UNSUPPORTED}, which held it less often or were not simulated. "
    f"A mean has no interval where fewer than {FEWEST} micrographs define it, or where so many of "
    "them have one value that resamples without scatter would decide the ends."
)

SELECTED = "†"
"""Mark of a method of which a choice has looked at validation folds."""

SELECTED_MEANING = (
    f"{SELECTED} marks methods of which a choice has looked at validation folds; their scores may "
    "be too good."
)

RUNS_MEANING = "Scores of a method that was run several times are the mean of its runs."


def rank_meaning(ranks: Ranks, n_methods: int) -> str:
    """State what a rank range means.

    Examples
    --------
    >>> from uhcs_bench.ranking.pair_tests import Ranks
    >>> rank_meaning(Ranks(1, 2, (1, 2), (1, 2)), 5)
    'rank 1-2: no method is significantly better, 3 are significantly worse'
    """
    n_better, n_worse = ranks.best - 1, n_methods - ranks.worst
    better = "no method is" if not n_better else f"{things(n_better, 'method')} "
    if n_better:
        better += "is" if n_better == 1 else "are"
    worse = "none is" if not n_worse else f"{n_worse} {'is' if n_worse == 1 else 'are'}"
    return f"rank {ranks}: {better} significantly better, {worse} significantly worse"


def amount(metric: Metric, value: float | None, *, signed: bool = False) -> str:
    """Write a score in its unit.

    Examples
    --------
    >>> amount(METRICS[0], 0.7056), amount(METRICS[2], 0.0512)
    ('70.6', '0.051')
    """
    if metric.unit == "%":
        return percent(value, signed=signed)
    if value is None:
        return formatting.MISSING
    return f"{value:+.3f}" if signed else f"{value:.3f}"


def metric_meaning(metric: Metric) -> str:
    """Say what a score is, and which values are better.

    Examples
    --------
    >>> metric_meaning(METRICS[0])
    'intersection over union, higher is better'
    """
    scale = "" if metric.unit else ", 0 to 1"
    return f"{metric.meaning}, {metric.better} is better{scale}"


def with_interval(metric: Metric, estimate: MeanScore) -> str:
    """Write a mean and its interval."""
    text = amount(metric, estimate.mean)
    if estimate.ci95 is None:
        return text
    low, high = (amount(metric, end) for end in estimate.ci95)
    return f"{text} [{low}, {high}]{interval_mark(metric.kind)}"


def interval_mark(kind: str) -> str:
    """Give the mark of an interval that simulations don't support; see `COVERAGE_NOTE`."""
    return "" if coverage.holds(kind) else UNSUPPORTED


def pair_sentence(pair: Pair, names: Mapping[str, str]) -> str:
    """State by how much one method is better than another, and whether significantly so.

    Parameters
    ----------
    pair : Pair
    names : mapping of str to str
        Of the methods, by slug.

    Returns
    -------
    str

    Examples
    --------
    >>> from uhcs_bench.ranking.pair_tests import Pair
    >>> pair = Pair("a", "b", "IU", 0.035, (0.0, 0.051), 0.0002, 0.3, 24, 6)
    >>> pair_sentence(pair, {"a": "A", "b": "B"})
    'A is ahead of B by 3.5 points of IU, 0.0 to +5.1 (p < 0.001 by micrograph, p = 0.3 by fold): \
significant by micrographs alone'
    """
    metric = next(found for found in METRICS if found.name == pair.metric)
    unit = "points of IU".replace("IU", metric.name) if metric.unit else f"of {metric.name}"
    by = f"{amount(metric, pair.difference)} {unit}"
    if pair.ci95 is not None:
        by += f", {' to '.join(_signed(metric, end) for end in pair.ci95)}"
    tests = f"{p_equals(pair.p_micrographs)} by micrograph, {p_equals(pair.p_folds)} by fold"
    verdicts = {
        (): "not significant",
        ("micrographs",): "significant by micrographs alone",
        ("folds",): "significant by folds alone",
    }
    verdict = verdicts.get(pair.separable_by, "significant")
    better, worse = names[pair.better], names[pair.worse]
    is_better = "is better than" if verdict == "significant" else "is ahead of"
    if float(amount(metric, pair.difference)) == 0:
        return f"{better} and {worse} differ by {by}, as rounded ({tests}): {verdict}"
    return f"{better} {is_better} {worse} by {by} ({tests}): {verdict}"


def comparison_headers(found: Comparison) -> list[str]:
    """Name the columns of `change_cells`."""
    splits = (found.step.easier, found.step.harder)
    return ["method", "score", *splits, "change", "by micrograph", "by fold"]


def change_cells(change: SplitChange) -> list[str]:
    """Write a method's score on two splits, the change, and whether tests find one.

    Examples
    --------
    >>> from uhcs_bench.ranking.split_changes import SplitChange
    >>> ends = (-0.02, 0.0002)
    >>> change_cells(SplitChange("A", "a", "b", "IU", (0.8, 0.79), -0.01, ends, 0.01, 0.2, 19, 5))
    ['A', 'IU', '80.0', '79.0', '-1.0 [-2.0, 0.0]', 'p = 0.01', 'p = 0.2']
    """
    metric = next(found for found in METRICS if found.name == change.metric)
    before, after = (amount(metric, mean) for mean in change.means)
    text = _signed(metric, change.difference)
    if change.ci95 is not None:
        text += f" [{', '.join(_signed(metric, end) for end in change.ci95)}]"
    tests = p_equals(change.p_micrographs), p_equals(change.p_folds)
    return [change.name, metric.name, before, after, text, *tests]


def _signed(metric: Metric, value: float) -> str:
    """Write a change; one that is rounded to 0 has no sign."""
    text = amount(metric, value, signed=True)
    return text if float(text) else amount(metric, 0.0)


def comparison_sentence(found: Comparison) -> str:
    """State what a comparison of splits is made of, and what it does not tell apart."""
    easier, harder = (
        f"{low} to {high}" if low != high else str(low) for low, high in found.n_training
    )
    controls = "".join(f" {name} has the same scores on both." for name in found.controls)
    return (
        f"{things(found.n_images, 'micrograph')} that both splits have. {found.step.meaning} "
        f"A model of {found.step.easier} was trained on {easier} micrographs, one of "
        f"{found.step.harder} on {harder}; the change includes what fewer micrographs cost. Both "
        f"tests are corrected by Holm's method for the number of methods, not for that of scores; "
        f"the folds are those of {found.step.harder}.{controls}"
    )


def pairs_heading(group: Group) -> str:
    """Name the pairs that are listed."""
    if len(group.ranked) <= MOST_LISTED:
        return "Tests of all pairs"
    return (
        f"Tests of neighbours in {METRICS[0].name}, since there are more than {MOST_LISTED} methods"
    )


def not_rejected(row: Row, n_images: int) -> str:
    """Write on how many micrographs the test of sizes does not reject, over the runs.

    Returns
    -------
    str
        The lowest and the highest of several runs.
    """
    return counts_of(row.not_rejected(), n_images)


def counts_of(counts: Sequence[int], n: int) -> str:
    """Write the counts of several runs.

    Examples
    --------
    >>> counts_of([4, 3], 24), counts_of([3], 24)
    ('3 to 4 of 24', '3 of 24')
    """
    low, high = min(counts), max(counts)
    return f"{low} of {n}" if low == high else f"{low} to {high} of {n}"


def fit_cell(found: fit.Fit) -> str:
    """Write bias and shares of a measure.

    Examples
    --------
    >>> fit_cell(fit.Fit(24, 0.028, 0.0, {0.1: 16.0, 0.2: 24.0}))
    '+3 %, 16, 24 of 24'
    """
    bias = formatting.MISSING if found.bias is None else f"{round(100 * found.bias) + 0:+d} %"
    counts = ", ".join(decimal(count, 0 if count == int(count) else 1) for count in _counts(found))
    return f"{bias}, {counts} of {found.n}"


def _counts(found: fit.Fit) -> list[float]:
    return [found.within[tolerance] for tolerance in fit.TOLERANCES]


def seed_cell(metric: Metric, row: Row) -> str:
    """Write the spread of a score between runs, with the number of runs."""
    spread = row.seeds(metric.name)
    if spread is None:
        return formatting.MISSING
    ends = (amount(metric, end) for end in (spread.lowest, spread.highest))
    return f"{' to '.join(ends)}, SD {amount(metric, spread.standard_deviation)}"


def selection_mark(declaration: Mapping[str, Any], task: str) -> str:
    """Give what follows a method's name if a choice for the task has looked at validation folds."""
    return f" {SELECTED}" if selection_sentences(declaration, task) else ""


def selection_sentences(declaration: Mapping[str, Any], task: str | None = None) -> list[str]:
    """State each choice that has looked at validation folds."""
    sentences = []
    for choice in declaration["selection"]:
        if task in (None, choice["task"]):
            folds = ", ".join(map(str, choice["folds"]))
            seen = "fold" if len(choice["folds"]) == 1 else "folds"
            sentences.append(
                f"{choice['task'].capitalize()}, {seen} {folds} had been looked at: "
                f"{choice['choice'].rstrip('.')}"
            )
    return sentences


def badges(found: LeaderboardEntry, *, recomputed: bool) -> list[str]:
    """List what can be checked of an entry.

    Parameters
    ----------
    found : LeaderboardEntry
    recomputed : bool
        Whether it has scores.

    Returns
    -------
    list of str
    """
    declared = found.declaration
    found_true = {
        "scores recomputed from maps": recomputed,
        "run by us": declared["retrained"] is not None,
        "code linked": declared["links"]["code"] is not None,
        "weights linked": declared["links"]["weights"] is not None,
    }
    return [text for text, holds in found_true.items() if holds]


def settings_text(declared: Any) -> str:
    """Write hyperparameters as one line."""

    def written(value: object) -> str:
        if isinstance(value, list):
            return ", ".join(map(written, value))
        return value if isinstance(value, str) else json.dumps(value)

    pairs = declared["hyperparameters"].items()
    return "; ".join(f"{name} {written(value)}" for name, value in pairs)


def runs_text(declared: Any) -> str:
    """Write the runs and their seeds as one line."""

    def seeds(run: Any) -> str:
        return f"seeds {', '.join(map(str, run['seeds']))}" if run["seeds"] else "nothing random"

    if len(declared["runs"]) == 1:
        return f"one, {seeds(declared['runs'][0])}"
    return "; ".join(f"{run['folder']}, {seeds(run)}" for run in declared["runs"])


def compute_text(declared: Any) -> str:
    """Write what a method takes as one line; unknown for what is not stated."""
    compute = declared["compute"]

    def known(value: float | None, unit: str) -> str:
        return f"unknown {unit}" if value is None else f"{value:g} {unit}"

    device, count = compute["device"], compute["count"]
    parts = [
        ("unknown device" if device is None else device)
        + ("" if count is None else f", {count} of them"),
        known(compute["training_hours"], "h of training"),
        known(compute["inference_seconds"], "s a micrograph"),
        known(compute["inference_gb"], "GB a micrograph"),
    ]
    parameters = declared["parameters"]
    parts.append("unknown parameters" if parameters is None else f"{parameters:,} parameters")
    return "; ".join(parts)


def weights_text(declared: Any) -> str:
    """Write licence and hash of linked weights; empty without."""
    weights = declared["links"]["weights"]
    return f"{weights['licence']}, sha256 {weights['sha256']}" if weights else ""


def reported_number(number: paper.Published) -> str:
    """Write a number of the paper with its spread."""
    mean = decimal(number.mean, 1)
    if number.spread is None:
        return mean
    if number.is_deviation:
        return f"{mean} (SD {decimal(number.spread, 1)})"
    return f"{mean} ± {decimal(number.spread, 1)}"


def reported_count(number: paper.Published | None, n: int) -> str:
    """Write a share of micrographs that the paper gives in percent as their number.

    Examples
    --------
    >>> from uhcs_bench import paper
    >>> reported_count(paper.reported("particles")[1].ks_score, 24)
    '1 of 24'
    """
    return formatting.MISSING if number is None else f"{round(number.mean * n / 100)} of {n}"


def agreement_sentence(group: Group) -> str:
    """State how far two annotations of one field agree; empty where there are none."""
    found = group.annotator_agreement
    if found is None:
        return ""
    fields = things(found["n"], "field")
    verb = "was" if found["n"] == 1 else "were"
    text = (
        f"{fields} of this task {verb} annotated twice, at two magnifications: the two annotations "
        f"agree to AC {percent(found['AC'])}, IU {percent(found['IU'])}"
    )
    if found["D"] is not None:
        text += f", D {found['D']:.3f}, and the KS test rejects {_of(found)}"
    return (
        f"{text}. The fields are parts of a few micrographs, and one map of each pair is "
        "resampled. Scores near that tell little about which method is nearer to the steel "
        "(uhcs-bench audit --agreement)."
    )


def _of(found: dict[str, Any]) -> str:
    rejected = found["n"] - found["n_not_rejected"]
    return f"{rejected or 'none'} of {found['n']}"
