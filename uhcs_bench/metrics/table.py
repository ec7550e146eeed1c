"""Table of the metrics: one row for each, which scores, tables, report, comparison and board read.

`SCORES` are functions of confusion matrices. They are averaged in each convention, compared and
shown in the main tables. `MEASURES` are functions of two maps. They are averaged over the
micrographs that define them and shown among the further measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from uhcs_bench.metrics import confusion, particle_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from uhcs_bench.metrics.pair import MapPair
    from uhcs_bench.protocol import Task

Better: TypeAlias = Literal["higher", "lower", "zero"]
Structure: TypeAlias = Literal["particles", "denuded_zone"]
OfConfusion: TypeAlias = "Callable[[NDArray[np.int64]], NDArray[np.float64]]"
OfMaps: TypeAlias = "Callable[[MapPair], NDArray[np.float64] | float]"


@dataclass(frozen=True)
class Score:
    """A metric of the confusion matrix, a fraction that is shown in percent; more is better.

    Attributes
    ----------
    name : str
        Key in the JSON output, heading of a column; a field of `ConventionScore` or `ClassMeans`.
    long_name : str
    function : callable
        Takes confusion matrices, shape (..., n_classes, n_classes), and gives values in [0, 1] of
        shape (..., n_classes) if `per_class`, else (...); NaN where undefined.
    per_class : bool
        Whether each class has its value.
    overall : str or None
        Score over all classes that tables show below those of the classes. The name itself stands
        for the mean over the classes of a micrograph.
    rank : int or None
        Place among the scores that methods are ranked by; None for a score without ranks.
    """

    name: str
    long_name: str
    function: OfConfusion
    per_class: bool = True
    overall: str | None = None
    rank: int | None = None

    @property
    def is_overall(self) -> bool:
        """Whether a micrograph has one value over all classes."""
        return self.overall == self.name


SCORES = (
    Score("AC", "pixel accuracy", confusion.accuracy, per_class=False, overall="AC", rank=2),
    Score("IU", "intersection over union", confusion.intersection_over_union, overall="IU", rank=1),
    # In the paper's tables the overall precision and recall are the accuracy.
    Score("precision", "precision", confusion.precision, overall="AC"),
    Score("recall", "recall", confusion.recall, overall="AC"),
)
"""In the order of the paper and of the output."""

OVERALL_SCORES = tuple(score for score in SCORES if score.is_overall)
CLASS_SCORES = tuple(score for score in SCORES if score.per_class)
RANKED_SCORES = tuple(
    sorted(
        (score for score in OVERALL_SCORES if score.rank is not None),
        key=lambda score: score.rank or 0,
    )
)
"""Scores that methods are ranked by, the first that tables are sorted by first."""


@dataclass(frozen=True)
class Measure:
    """A metric of two label maps.

    Attributes
    ----------
    name : str
        Key in the JSON output.
    long_name : str
        Name in tables; empty for a measure that stands in the JSON output alone.
    unit : str
        ``"%"`` for a fraction that is shown in percent, ``"px"``, ``"um"``, ``"um2"`` or empty.
    function : callable
        Takes a `uhcs_bench.metrics.pair.MapPair`; gives a number, or one for each class if
        `per_class`; NaN where undefined.
    per_class : bool
    better : {'higher', 'lower', 'zero'} or None
        Which values are better. Of a signed error, for which 0 is best, the mean absolute value is
        given too. None for what does not compare the maps.
    group : tuple of str
        Keys around `name` in the JSON output; those of a class are ``classes`` and its name.
    structure : str or None
        What a task must have.
    extended : bool
        Whether it takes long, so that it is measured only when asked for.
    """

    name: str
    long_name: str
    unit: str
    function: OfMaps
    per_class: bool = False
    better: Better | None = "higher"
    group: tuple[str, ...] = ()
    structure: Structure | None = None
    extended: bool = False

    @property
    def kind(self) -> str:
        """Name that is unique among the measures, with the keys around it."""
        return ".".join((*self.group, self.name))

    def applies_to(self, task: Task) -> bool:
        """Whether a task's maps have the structure that is measured."""
        has = {"particles": task.has_particles, "denuded_zone": task.has_denuded_zone, None: True}
        return has[self.structure]


def _of_confusion(function: OfConfusion) -> OfMaps:
    return lambda pair: function(pair.confusion)


def _boundary(name: str, pair: MapPair) -> NDArray[np.float64]:
    """Agreement of boundaries, where the annotation has one.

    Where nothing is annotated there is no boundary to miss, only one to invent.
    """
    from uhcs_bench.metrics import boundaries

    values = getattr(boundaries, name)(pair.annotated, pair.predicted, pair.n_classes)
    return np.where(pair.has_boundary, values, np.nan)


def _zone_width_error(pair: MapPair) -> float:
    annotated, predicted = pair.zone_widths_px
    if not len(annotated) or not len(predicted):
        return np.nan
    return float(predicted.mean() - annotated.mean())


def _zone_distance(pair: MapPair) -> float:
    return particle_sizes.wasserstein_distance(*pair.zone_widths_px)


def _clear_width_error(pair: MapPair) -> float:
    annotated, predicted = pair.clear_widths
    if not len(annotated) or not len(predicted):
        return np.nan
    means = [np.average(zone.widths_px, weights=zone.weights) for zone in (predicted, annotated)]
    return float(means[0] - means[1])


def _clear_distance(pair: MapPair) -> float:
    from scipy import stats

    annotated, predicted = pair.clear_widths
    if not len(annotated) or not len(predicted):
        return np.nan
    return float(
        stats.wasserstein_distance(
            annotated.widths_px, predicted.widths_px, annotated.weights, predicted.weights
        )
    )


def _filled_hole_um2(pair: MapPair) -> float:
    from uhcs_bench.metallography.denuded_zone import HOLE_PX

    return HOLE_PX * pair.scale**2


def _ks_distance(pair: MapPair) -> float:
    return pair.size_test[0]


def _in_um(function: Callable[[MapPair], float]) -> OfMaps:
    return lambda pair: function(pair) * pair.scale


def _at_thresholds() -> Iterator[Measure]:
    from uhcs_bench.metrics import instances

    for name in ("precision", "recall", "f1"):
        for index, threshold in enumerate(instances.THRESHOLDS):
            yield _instances(f"{threshold:.2f}", "", partial(_at, name, index), name)


def _at(name: str, index: int, pair: MapPair) -> float:
    return float(getattr(pair.instances, name)[index])


def _of_class(
    name: str,
    long_name: str,
    function: OfMaps,
    better: Better | None = "higher",
    *,
    extended: bool = False,
) -> Measure:
    return Measure(name, long_name, "%", function, True, better, extended=extended)


def _sizes(name: str, long_name: str, unit: str, better: Better = "zero") -> Measure:
    function = attrgetter(f"size_errors.{name}")
    return Measure(name, long_name, unit, function, False, better, ("sizes",), "particles")


def _zone(
    name: str,
    long_name: str,
    unit: str,
    function: OfMaps,
    better: Better | None,
    *groups: str,
) -> Measure:
    group = ("denuded_zone", *groups)
    return Measure(name, long_name, unit, function, False, better, group, "denuded_zone", True)


def _zones() -> Iterator[Measure]:
    """List measures of denuded zones, by the authors' procedure and by unobstructed lines."""
    for groups, procedure, error, distance in (
        ((), "authors'", _zone_width_error, _zone_distance),
        (("unobstructed",), "clear lines", _clear_width_error, _clear_distance),
    ):
        width, apart = f"denuded zone width error, {procedure}", f"zone width W1, {procedure}"
        yield _zone("mean_width_error_px", width, "px", error, "zero", *groups)
        yield _zone("mean_width_error_um", width, "um", _in_um(error), "zero", *groups)
        yield _zone("wasserstein_px", apart, "px", distance, "lower", *groups)
        yield _zone("wasserstein_um", apart, "um", _in_um(distance), "lower", *groups)
    yield _zone("filled_hole_um2", "", "um2", _filled_hole_um2, None)


def _instances(name: str, long_name: str, function: OfMaps, *groups: str) -> Measure:
    group = ("instances", *groups)
    return Measure(name, long_name, "%", function, False, "higher", group, "particles", True)


MEASURES = (
    Measure("kappa", "kappa", "", _of_confusion(confusion.cohen_kappa)),
    _of_class("dice", "Dice", _of_confusion(confusion.dice)),
    _of_class("area_fraction_true", "", _of_confusion(confusion.annotated_fractions), None),
    _of_class("area_fraction_pred", "", _of_confusion(confusion.predicted_fractions), None),
    _of_class(
        "area_fraction_error",
        "area fraction error",
        _of_confusion(confusion.fraction_errors),
        "zero",
    ),
    Measure(
        "ks_distance",
        "distance D of sizes",
        "",
        _ks_distance,
        better="lower",
        group=("sizes",),
        structure="particles",
    ),
    _sizes("count_error", "count error", ""),
    _sizes("relative_count_error", "", "%"),
    _sizes("mean_diameter_error_px", "mean diameter error", "px"),
    _sizes("mean_diameter_error_um", "mean diameter error", "um"),
    _sizes("wasserstein_px", "Wasserstein distance of sizes", "px", "lower"),
    _sizes("wasserstein_um", "Wasserstein distance of sizes", "um", "lower"),
    _of_class("boundary_f1", "boundary F1", partial(_boundary, "boundary_f1"), extended=True),
    _of_class("boundary_iou", "boundary IoU", partial(_boundary, "boundary_iou"), extended=True),
    *_zones(),
    _instances("panoptic_quality", "panoptic quality", attrgetter("instances.panoptic_quality")),
    _instances(
        "segmentation_quality", "segmentation quality", attrgetter("instances.segmentation_quality")
    ),
    _instances(
        "recognition_quality", "recognition quality", attrgetter("instances.recognition_quality")
    ),
    _instances("mean_f1", "particle F1, IoU .5-.95", attrgetter("instances.mean_f1")),
    *_at_thresholds(),
)
"""In the order of the output; those of the classes stand together, class by class."""


def named_scores(
    scored: Any,
) -> Iterator[tuple[str, str | None, Any]]:
    """List scores by metric and class.

    Parameters
    ----------
    scored : ConventionScore or MicrographScore
        An object with an attribute for each of `OVERALL_SCORES`, and in `classes` one for each of
        `CLASS_SCORES`.

    Yields
    ------
    metric : str
    class_name : str or None
        None for a score over all classes; those come first.
    value : MeanScore, float or None
    """
    for score in OVERALL_SCORES:
        yield score.name, None, getattr(scored, score.name)
    for class_name, scores in scored.classes.items():
        for score in CLASS_SCORES:
            yield score.name, class_name, getattr(scores, score.name)
