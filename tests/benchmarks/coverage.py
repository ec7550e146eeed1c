"""How often intervals of a mean hold it: the simulation that the printed intervals are chosen by.

Populations are the scores that ``leaderboard/`` gives single micrographs, one population for each
entry, task and score: drawn with replacement (``drawn``), the same with a jitter of Silverman's
bandwidth (``smoothed``), and gamma distributions of their mean, scatter and skew (``gamma``).
Differences of two entries are populations too. Scores of micrographs of one heat-treated sample are
drawn with a share of their variance, the intraclass correlation, in common. About five minutes:

    python -m tests.benchmarks.coverage

With the real annotations at hand, pooled scores are simulated as well.
"""

from __future__ import annotations

import json
import math
from functools import cache
from itertools import combinations
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import multinomial
from tabulate import tabulate

from uhcs_bench.stats import differences, means, paired_proportions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Method = Callable[[Values], NDArray[np.float64]]

BOARD = Path(__file__).parents[2] / "leaderboard" / "leaderboard.json"
SEED = 0
REPLICATES = 1000
RESAMPLES = 1000
KINDS = ("drawn", "smoothed", "gamma")
SIZES = (24, 22, 19, 16, 12, 8)
WANTED = 0.93

CLUSTERS = {
    "particles, 5 samples": (5, 7, 5, 3, 4),
    "particles, clean, 5 samples": (5, 5, 3, 3, 3),
    "microconstituents, 12 samples": (6, 5, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1),
    "microconstituents, clean, 12 samples": (5, 4, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1),
}
"""Micrographs of each heat-treated sample, in the splits `paper` and `clean`."""

_NORMAL = NormalDist()


# What is drawn from


def score_populations() -> dict[str, Values]:
    """Scores of the board's entries, one micrograph each, by task, entry and score."""
    return {
        f"{task} {entry} {score}": values[~np.isnan(values)]
        for task, entries in _scores().items()
        for entry, scores in entries.items()
        for score, values in scores.items()
    }


def difference_populations() -> dict[str, Values]:
    """Differences of any two entries on each micrograph."""
    found = {}
    for task, entries in _scores().items():
        for a, b in combinations(entries, 2):
            for score, values in entries[a].items():
                difference = values - entries[b][score]
                found[f"{task} {a} - {b} {score}"] = difference[~np.isnan(difference)]
    return found


@cache
def _scores() -> dict[str, dict[str, dict[str, Values]]]:
    board = json.loads(BOARD.read_text("utf-8"))
    return {
        group["task"]: {row["entry"]: _by_score(row["micrographs"]) for row in group["recomputed"]}
        for group in board["groups"]
        if (group["dataset_version"], group["split"]) == ("1.0", "paper")
    }


def _by_score(micrographs: dict[str, Any]) -> dict[str, Values]:
    scores = {name: micrographs[name] for name in ("AC", "IU")}
    scores |= {f"IU {name}": values for name, values in micrographs["class_IU"].items()}
    return {name: np.array(values, float) for name, values in scores.items()}


def draw(rng: np.random.Generator, kind: str, population: Values, shape: tuple[int, int]) -> Values:
    """Draw from a population as one of `KINDS` has it; its mean is that of the population."""
    deviation = population.std(ddof=1)
    if kind == "gamma":
        return population.mean() + deviation * _gamma(rng, _skew(population), shape)
    drawn = rng.choice(population, shape)
    if kind == "smoothed":
        quartiles = np.quantile(population, [0.25, 0.75])
        scale = min(deviation, np.ptp(quartiles) / 1.34)
        drawn += 0.9 * scale * len(population) ** -0.2 * rng.normal(size=shape)
    return drawn


def _skew(values: Values) -> float:
    n = len(values)
    centred = values - values.mean()
    return float(
        (centred**3).mean() / (centred**2).mean() ** 1.5 * math.sqrt(n * (n - 1)) / (n - 2)
    )


def _gamma(rng: np.random.Generator, skew: float, shape: tuple[int, int]) -> Values:
    """Draw from a gamma distribution of mean 0, deviation 1 and a skew."""
    form = 4 / skew**2
    return np.asarray(
        math.copysign(1, skew) * (rng.gamma(form, size=shape) / form - 1)
    ) * math.sqrt(form)


# What is tried; each takes samples side by side, shape (n, m), and gives ends, shape (m, 2)


def percentile(sample: Values) -> Values:
    """Bootstrap percentiles of the mean."""
    drawn = np.sort(sample.T @ means.resamples(len(sample), RESAMPLES))
    return drawn[:, [RESAMPLES // 40, RESAMPLES - 1 - RESAMPLES // 40]]


def bca(sample: Values) -> Values:
    """Bias-corrected and accelerated bootstrap (Efron 1987)."""
    mean = sample.mean(0)[:, np.newaxis]
    drawn = np.sort(sample.T @ means.resamples(len(sample), RESAMPLES))
    below = ((drawn < mean).mean(1) + (drawn <= mean).mean(1)) / 2
    limit = 0.5 / RESAMPLES
    bias = np.vectorize(_NORMAL.inv_cdf)(np.clip(below, limit, 1 - limit))
    deviations = sample.T - mean
    spread = 6 * (deviations**2).sum(1) ** 1.5
    acceleration = (deviations**3).sum(1) / np.where(spread, spread, 1.0)
    ends = []
    for level in (0.025, 0.975):
        shifted = bias + _NORMAL.inv_cdf(level)
        shares = np.vectorize(_NORMAL.cdf)(bias + shifted / (1 - acceleration * shifted))
        places = np.rint(shares * (RESAMPLES - 1)).astype(int)
        ends.append(np.take_along_axis(drawn, places[:, np.newaxis], 1)[:, 0])
    return np.stack(ends, axis=1)


_LEVEL = f"{100 * means.NOMINAL:g} %"
CHOSEN = f"bootstrap-t, {_LEVEL}"

METHODS: dict[str, Method] = {
    "t": means.t_interval,
    "percentile": percentile,
    "BCa": bca,
    "bootstrap-t": lambda sample: means.bootstrap_t_interval(sample, 0.95, 2, RESAMPLES),
    f"t, {_LEVEL}": lambda sample: means.t_interval(sample, means.NOMINAL),
    CHOSEN: lambda sample: means.bootstrap_t_interval(sample, means.NOMINAL, 2, RESAMPLES),
}

_CHOSEN = {name: METHODS[name] for name in ("t", CHOSEN)}


# Tables


def of_means(
    populations: Mapping[str, Values],
    sizes: Iterable[int] = SIZES,
    replicates: int = REPLICATES,
    methods: Mapping[str, Method] = METHODS,
) -> list[dict[str, Any]]:
    """Simulate the coverage of means, a row for each kind, n and method.

    Returns
    -------
    list of dict
        ``lowest`` and ``median`` coverage over the populations, the ``worst`` one, the number
        ``below`` 93 %, and the median ``width`` relative to that of t.
    """
    rows = []
    for n in sizes:
        for kind in KINDS:
            rng = np.random.default_rng([SEED, n, KINDS.index(kind)])
            covered = {name: [] for name in methods}
            widths = {name: [] for name in methods}
            for population in populations.values():
                sample = draw(rng, kind, population, (n, replicates))
                sample = sample[:, np.ptp(sample, axis=0) > 0]
                for name, method in methods.items():
                    low, high = method(sample).T
                    covered[name].append(_holds(low, high, float(population.mean())))
                    widths[name].append(_median_width(low, high))
            rows += _rows({"n": n, "kind": kind}, covered, widths, list(populations))
    return rows


def _holds(low: Values, high: Values, truth: float) -> float:
    """Share of the intervals that hold the truth; a sample without an interval does not count."""
    there = ~np.isnan(low)
    return float(((low <= truth) & (truth <= high))[there].mean()) if there.any() else math.nan


def _median_width(low: Values, high: Values) -> float:
    there = ~np.isnan(low)
    return float(np.median((high - low)[there])) if there.any() else math.nan


def _rows(
    head: dict[str, Any],
    covered: Mapping[str, list[float]],
    widths: Mapping[str, list[float]],
    names: list[str],
) -> list[dict[str, Any]]:
    return [
        head
        | {
            "method": method,
            "lowest": float(np.nanmin(shares)),
            "median": float(np.nanmedian(shares)),
            "below": sum(share < WANTED for share in shares),
            "of": len(shares),
            "width": float(np.nanmedian(np.divide(widths[method], widths["t"]))),
            "worst": names[int(np.nanargmin(shares))],
        }
        for method, shares in covered.items()
    ]


def of_folds(replicates: int = REPLICATES) -> list[dict[str, Any]]:
    """Simulate means of six folds of four micrographs, from fold means."""
    populations = score_populations()
    rows = []
    for kind in KINDS:
        rng = np.random.default_rng([SEED, 6, KINDS.index(kind)])
        covered = {name: [] for name in METHODS}
        widths = {name: [] for name in METHODS}
        for population in populations.values():
            sample = draw(rng, kind, population, (24, replicates))
            sample = sample.reshape(6, 4, replicates).mean(1)
            for name, method in METHODS.items():
                low, high = method(sample).T
                covered[name].append(_holds(low, high, float(population.mean())))
                widths[name].append(_median_width(low, high))
        rows += _rows({"n": "6 folds", "kind": kind}, covered, widths, list(populations))
    return rows


def of_clusters(
    correlations: Iterable[float] = (0.0, 0.3, 0.55, 0.7, 0.85), replicates: int = REPLICATES
) -> list[dict[str, Any]]:
    """Simulate means of micrographs that share heat-treated samples.

    What samples and micrographs add is normal or gamma with a skew of -2, as the scores are.
    """
    rows = []
    for name, sizes in CLUSTERS.items():
        cluster = np.repeat(np.arange(len(sizes)), sizes)
        for correlation in correlations:
            for skew in (0.0, -2.0):
                rng = np.random.default_rng([SEED, len(sizes), int(100 * correlation), int(-skew)])
                common, own = (
                    _gamma(rng, skew, shape) if skew else rng.normal(size=shape)
                    for shape in ((len(sizes), replicates), (len(cluster), replicates))
                )
                sample = math.sqrt(correlation) * common[cluster] + math.sqrt(1 - correlation) * own
                row: dict[str, Any] = {"samples": name, "correlation": correlation, "skew": skew}
                width = np.ptp(means.t_interval(sample), axis=1).mean()
                for method, ends in {
                    "by micrograph, t": means.t_interval(sample),
                    f"by micrograph, {CHOSEN}": means.bootstrap_t_interval(
                        sample, n_resamples=RESAMPLES
                    ),
                    "by sample, 95 %": means.cluster_interval(sample, cluster, 0.95),
                    "by sample, 97 %": means.cluster_interval(sample, cluster),
                }.items():
                    row[method] = _holds(*ends.T, 0.0)
                row["width"] = float(np.ptp(ends, axis=1).mean() / width)
                rows.append(row)
    return rows


def of_gated_differences(
    populations: Mapping[str, Values], sizes: Iterable[int] = (24, 19, 16)
) -> list[dict[str, Any]]:
    """Simulate mean differences as they are printed: no interval where one micrograph carries them.

    Returns
    -------
    list of dict
        As of `of_means`, of the samples that have an interval, and the median share ``given`` of
        samples that have one.
    """
    rows = []
    for n in sizes:
        for kind in KINDS:
            rng = np.random.default_rng([SEED, n, KINDS.index(kind), 1])
            shares, given = [], []
            for population in populations.values():
                sample = draw(rng, kind, population, (n, REPLICATES))
                squares = (sample - sample.mean(0)) ** 2
                free = squares.max(0) <= differences.DOMINATED * squares.sum(0)
                low, high = means.bootstrap_t_interval(
                    sample[:, free], means.NOMINAL, 2, RESAMPLES
                ).T
                shares.append(_holds(low, high, float(population.mean())))
                given.append(float(free.mean()))
            rows.append(
                {
                    "n": n,
                    "kind": kind,
                    "lowest": min(shares),
                    "median": float(np.median(shares)),
                    "below": sum(share < WANTED for share in shares),
                    "of": len(shares),
                    "given": float(np.median(given)),
                    "worst": list(populations)[int(np.argmin(shares))],
                }
            )
    return rows


def of_verdicts(sizes: Iterable[int] = (24, 22, 19, 16)) -> list[dict[str, Any]]:
    """Compute the coverage of the difference of two shares of micrographs (KS score), exactly.

    Returns
    -------
    list of dict
        The ``lowest`` and ``median`` coverage over shares of micrographs on which one submission
        alone succeeds, in steps of .025, and the ``worst`` pair of shares.
    """
    rows = []
    for n in sizes:
        counts = np.array([(x, y) for x in range(n + 1) for y in range(n + 1 - x)])
        ends = np.array(
            [
                paired_proportions.paired_proportion_interval(
                    int(x), int(y), n, differences.NOMINAL_OF_VERDICTS
                )
                for x, y in counts
            ]
        )
        steps = np.arange(0, 41) / 40
        shares = {}
        for a, b in ((a, b) for a in steps for b in steps if a + b <= 1 + 1e-9):
            shares_of = [a, b, max(1 - a - b, 0.0)]
            likely = multinomial.pmf(np.c_[counts, n - counts.sum(1)], n, shares_of)
            holds = (ends[:, 0] <= a - b + 1e-9) & (a - b - 1e-9 <= ends[:, 1])
            shares[float(a), float(b)] = float(likely[holds].sum())
        worst = min(shares, key=lambda pair: shares[pair])
        rows.append(
            {
                "n": n,
                "lowest": shares[worst],
                "median": float(np.median(list(shares.values()))),
                "worst": f"{worst[0]:g} and {worst[1]:g}",
            }
        )
    return rows


def of_pooled(replicates: int = 4 * REPLICATES, n: int = 24) -> list[dict[str, Any]]:
    """Simulate scores of pooled pixels, from the real annotations and the board's label maps."""
    import uhcs_bench

    rows = []
    for entry in sorted(path.name for path in BOARD.parent.iterdir() if path.is_dir()):
        for task in uhcs_bench.score(BOARD.parent / entry).tasks:
            confusions = np.array([image.confusion for image in task.images], float)
            rng = np.random.default_rng([SEED, *entry.encode()])
            drawn = confusions[rng.integers(0, len(confusions), (replicates, n))]
            truth = float(_pooled_iu(confusions.sum(0)))
            whole = _pooled_iu(drawn.sum(1))
            without = _pooled_iu(drawn.sum(1, keepdims=True) - drawn)
            sample = (whole[:, None] - (n - 1) * (without - without.mean(1, keepdims=True))).T
            ends = means.bootstrap_t_interval(sample, means.NOMINAL_OF_POOLED, 2, 4 * RESAMPLES)
            rows.append(
                {
                    "population": f"{task.task} {entry} pooled IU",
                    "n": n,
                    "coverage": _holds(*ends.T, truth),
                    "t": _holds(*means.t_interval(sample).T, truth),
                }
            )
    return rows


def _pooled_iu(confusion: Values) -> Values:
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.asarray((hits / (confusion.sum(-1) + confusion.sum(-2) - hits)).mean(-1))


def table(rows: list[dict[str, Any]]) -> str:
    """Lay rows out as Markdown, shares in percent."""
    return tabulate(
        [[_cell(key, value) for key, value in row.items()] for row in rows],
        list(rows[0]),
        tablefmt="github",
        disable_numparse=True,
    )


def _cell(key: str, value: object) -> str:
    shares = ("lowest", "median", "coverage", "t", "given")
    if isinstance(value, float) and (key in shares or key.startswith("by ")):
        return f"{100 * value:.1f}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print the tables."""
    carried = {
        name: differences.dominating(x) is not None for name, x in difference_populations().items()
    }
    print(
        f"{REPLICATES} samples of each population; standard error of a coverage of 95 %: "
        f"{100 * math.sqrt(0.95 * 0.05 / REPLICATES):.1f} points.\n"
    )
    print(
        "Means of scores, by heat-treated sample\n\n"
        + table(of_clusters(replicates=4 * REPLICATES)),
        end="\n\n",
    )
    print("Differences of KS scores, exact\n\n" + table(of_verdicts()), end="\n\n")
    print("Means of scores, by micrograph\n\n" + table(of_means(score_populations())), end="\n\n")
    print("Means of scores, by fold\n\n" + table(of_folds()), end="\n\n")
    for what, chosen in (("no micrograph carries", False), ("one micrograph carries", True)):
        populations = {k: v for k, v in difference_populations().items() if carried[k] == chosen}
        text = table(of_means(populations, (24, 19, 16), methods=_CHOSEN))
        print(f"Mean differences that {what} ({len(populations)})\n\n{text}", end="\n\n")
        gated = table(of_gated_differences(populations))
        print(f"The same as printed, without samples that one micrograph carries\n\n{gated}\n")
    print("Pooled scores\n\n" + table(of_pooled()))


if __name__ == "__main__":
    main()
