"""What makes the particle sizes of predicted maps right: rules, chosen without seeing the fold.

A rule turns a predicted map into another one: it drops specks, cuts touching particles apart, or
takes another threshold of the probabilities. Its parameter is chosen for each fold on the
validation micrographs of the other folds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.metallography.components import (
    equivalent_diameters,
    label_particles,
    particle_areas,
)
from uhcs_bench.metrics import particle_sizes
from uhcs_bench.scoring import submission

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SMALLEST = (1, 2, 3, 5, 8, 12, 20)
"""Areas in pixels from which on components are kept; the first keeps all."""

RADII = (0, 1, 2)
"""Radii in pixels of the disc that maps are opened with; the first leaves them as they are."""

MIN_AREA = 5
"""Area in pixels from which on particles are counted, as the board does."""

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Probabilities from which on a pixel is particle."""


class Prediction:
    """What a model says of a micrograph.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
        Particles of the most probable map.
    probability : ndarray of float, shape (rows, columns), optional
        Of particle.
    """

    def __init__(
        self, mask: NDArray[np.bool_], probability: NDArray[np.floating] | None = None
    ) -> None:
        self.mask = mask
        self.probability = probability

    @cached_property
    def cut(self) -> NDArray[np.bool_]:
        """Particles with touching ones cut apart, see `cut_apart`."""
        return cut_apart(self.mask)


def cut_apart(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cut touching particles apart along the lines of the watershed.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)

    Returns
    -------
    ndarray of bool, shape (rows, columns)
        Without the pixels that touch a particle of a smaller number, so that no two particles of
        `uhcs_bench.metrics.particle_sizes.split_particles` touch.

    Examples
    --------
    >>> row, column = np.indices((9, 19))
    >>> left, right = ((row - 4) ** 2 + (column - c) ** 2 < 20 for c in (5, 13))
    >>> particle_areas(left | right).size, particle_areas(cut_apart(left | right)).size
    (1, 2)
    """
    numbers = np.pad(particle_sizes.split_particles(mask), 1)
    inner = numbers[1:-1, 1:-1]
    touching = np.zeros_like(mask, dtype=bool)
    for rows in (0, 1, 2):
        for columns in (0, 1, 2):
            other = numbers[rows : rows + mask.shape[0], columns : columns + mask.shape[1]]
            touching |= (other > 0) & (other < inner)
    apart: NDArray[np.bool_] = mask & ~touching
    return apart


def drop_specks(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """Leave components of less than so many pixels out."""
    numbers = label_particles(mask)
    areas = np.bincount(numbers.ravel())
    areas[0] = 0
    return np.asarray((areas >= smallest)[numbers])


def open_by_disc(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Keep the pixels that a disc inside the particles covers."""
    from skimage import morphology

    opened = morphology.opening(mask, morphology.disk(radius)) if radius else mask
    return np.asarray(opened, bool)


def _at(prediction: Prediction, threshold: float) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.asarray(prediction.probability) >= threshold
    return found


@dataclass(frozen=True)
class Family:
    """A rule with the parameters that it may have.

    Attributes
    ----------
    name : str
    parameters : tuple of float
        One alone leaves nothing to choose.
    apply : callable
        Gives a map from a prediction and a parameter.
    needs_probability : bool
    """

    name: str
    parameters: tuple[float, ...]
    apply: Callable[[Prediction, float], NDArray[np.bool_]]
    needs_probability: bool = False


FAMILIES = (
    Family("as it is", (0,), lambda p, _: p.mask),
    Family("specks dropped", SMALLEST, lambda p, k: drop_specks(p.mask, int(k))),
    Family("opened", RADII, lambda p, r: open_by_disc(p.mask, int(r))),
    Family("cut apart", (0,), lambda p, _: p.cut),
    Family("cut apart, specks dropped", SMALLEST, lambda p, k: drop_specks(p.cut, int(k))),
    Family("threshold", THRESHOLDS, _at, needs_probability=True),
    Family(
        "threshold, cut apart", THRESHOLDS, lambda p, t: cut_apart(_at(p, t)),
        needs_probability=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a map's sizes compare with the annotated ones.

    Attributes
    ----------
    consistent : bool
        Whether the Kolmogorov-Smirnov test rejects nothing.
    distance : float
        Its statistic D; 1 for a map without particles.
    IU : float
        Of the particles, percent.
    count_error, diameter_error : float
        Relative errors, percent, of the number of particles from `MIN_AREA` on and of their mean
        equivalent diameter; NaN where one of the maps has none (the number: where the annotation
        has none).
    """

    consistent: bool
    distance: float
    IU: float
    count_error: float
    diameter_error: float


def compare(annotated: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Outcome:
    """Compare two maps of particles."""
    truth, found = particle_areas(annotated), particle_areas(predicted)
    distance, _, consistent = particle_sizes.compared_sizes(truth, found)
    union = int((annotated | predicted).sum())
    both = int((annotated & predicted).sum())
    return Outcome(
        consistent=consistent,
        distance=1.0 if np.isnan(distance) else distance,
        IU=100 * both / union if union else 100.0,
        count_error=_relative_error(*(float((a >= MIN_AREA).sum()) for a in (found, truth))),
        diameter_error=_relative_error(*(_mean_diameter(a) for a in (found, truth))),
    )


def _mean_diameter(areas: NDArray[np.int64]) -> float:
    counted = areas[areas >= MIN_AREA]
    return float(equivalent_diameters(counted).mean()) if counted.size else math.nan


def _relative_error(found: float, truth: float) -> float:
    return 100 * (found / truth - 1) if truth else math.nan


@dataclass(frozen=True)
class Row:
    """A family of rules on one method's maps.

    Attributes
    ----------
    method, family : str
    chosen : tuple of float
        Parameter of each fold; empty if there was nothing to choose.
    outcomes : tuple of Outcome
        In the order of the micrographs.
    """

    method: str
    family: str
    chosen: tuple[float, ...]
    outcomes: tuple[Outcome, ...]


def cross_fit(
    folds: Sequence[int], outcomes: dict[float, list[Outcome]]
) -> tuple[list[float], list[Outcome]]:
    """Choose a parameter for each fold on the other folds.

    Parameters
    ----------
    folds : sequence of int
        Fold of each micrograph.
    outcomes : dict of float to list of Outcome
        By parameter, of each micrograph.

    Returns
    -------
    chosen : list of float
        Of each fold the parameter with the smallest mean distance in the other folds. The number
        of consistent micrographs, a few of twenty, would leave the choice to chance.
    outcomes : list of Outcome
        Of each micrograph, with the parameter of its fold.
    """
    chosen = {}
    for fold in sorted(set(folds)):
        others = [place for place, number in enumerate(folds) if number != fold]

        def distance(parameter: float, others: list[int] = others) -> float:
            return float(np.mean([outcomes[parameter][place].distance for place in others]))

        chosen[fold] = min(outcomes, key=distance)
    found = [outcomes[chosen[number]][place] for place, number in enumerate(folds)]
    return list(chosen.values()), found


def study(
    method: str,
    predict: Callable[[uhcs_bench.Micrograph], Prediction],
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
) -> list[Row]:
    """Try all families of rules that a method's predictions allow.

    Parameters
    ----------
    method : str
        Name of the rows.
    predict : callable
        Gives the prediction of a micrograph by a model that has not seen it.
    version : str
    split : str
        Whose folds.

    Returns
    -------
    list of Row
    """
    micrographs = list(uhcs_bench.load("particles", version=version, split=split))
    table: dict[str, dict[float, list[Outcome]]] = {}
    for micrograph in tqdm(micrographs, desc=method, unit="micrograph", disable=None):
        annotated = micrograph.labels == protocol.PARTICLE_LABEL
        prediction = predict(micrograph)
        for family in FAMILIES:
            if family.needs_probability and prediction.probability is None:
                continue
            for parameter in family.parameters:
                outcome = compare(annotated, family.apply(prediction, parameter))
                table.setdefault(family.name, {}).setdefault(parameter, []).append(outcome)
    folds = [micrograph.fold for micrograph in micrographs]
    rows = []
    for name, outcomes in table.items():
        chosen, found = cross_fit(folds, outcomes)
        rows.append(Row(method, name, tuple(chosen) if len(outcomes) > 1 else (), tuple(found)))
    return rows


def from_maps(
    folder: Path, version: str = protocol.REAL_VERSION
) -> Callable[[uhcs_bench.Micrograph], Prediction]:
    """Take predictions from the label maps of a folder, as `uhcs_bench.score` takes them.

    Raises
    ------
    SubmissionError
        If anything is wrong with the maps; it lists all problems of all files.
    """
    (found,) = submission.read_submission(folder, "particles", version=version)

    def predict(micrograph: uhcs_bench.Micrograph) -> Prediction:
        return Prediction(found.maps[micrograph.id] == protocol.PARTICLE_LABEL)

    return predict


def from_checkpoints(
    paths: Sequence[Path], *, tta: bool
) -> Callable[[uhcs_bench.Micrograph], Prediction]:
    """Take probabilities from each fold's own model, given in the order of the folds."""
    import torch

    from baselines import prediction
    from baselines.training import checkpoint

    trained = [checkpoint.load(path, torch.device("cpu")).model for path in paths]

    def predict(micrograph: uhcs_bench.Micrograph) -> Prediction:
        model = trained[micrograph.fold]
        found = prediction.probabilities([model], micrograph.image, tta=tta)
        return Prediction(
            found.argmax(axis=0) == protocol.PARTICLE_LABEL, found[protocol.PARTICLE_LABEL]
        )

    return predict


def annotation_without_specks(version: str = protocol.REAL_VERSION) -> list[Row]:
    """Compare the annotation with itself less its specks: what a map without them can reach."""
    micrographs = list(uhcs_bench.load("particles", version=version))
    rows = []
    for smallest in SMALLEST[1:]:
        outcomes = []
        for micrograph in micrographs:
            mask = micrograph.labels == protocol.PARTICLE_LABEL
            outcomes.append(compare(mask, drop_specks(mask, smallest)))
        rows.append(Row("annotation", f"specks below {smallest} px dropped", (), tuple(outcomes)))
    return rows


def to_text(rows: Sequence[Row]) -> str:
    """Lay the rows out: micrographs with consistent sizes, means of the others, parameters.

    Of the errors of count and mean diameter, the mean and the mean of the absolute values.
    """
    cells = [
        [
            row.method,
            row.family,
            f"{sum(o.consistent for o in row.outcomes)} of {len(row.outcomes)}",
            f"{np.mean([o.distance for o in row.outcomes]):.3f}",
            f"{np.mean([o.IU for o in row.outcomes]):.1f}",
            _errors([o.count_error for o in row.outcomes]),
            _errors([o.diameter_error for o in row.outcomes]),
            " ".join(f"{value:g}" for value in row.chosen),
        ]
        for row in rows
    ]
    headers = ["maps", "rule", "KS", "D", "IU", "count, %", "diameter, %", "chosen, by fold"]
    return tabulate(cells, headers=headers, disable_numparse=True)


def _errors(values: Sequence[float]) -> str:
    known = np.array(values)[~np.isnan(values)]
    if not known.size:
        return ""
    return f"{known.mean():+.1f} ({np.abs(known).mean():.1f})"
