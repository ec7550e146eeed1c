"""What is measured on a micrograph beside the paper's scores, collected by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from uhcs_bench.metrics import particle_sizes
from uhcs_bench.metrics.confusion import (
    annotated_fractions,
    cohen_kappa,
    dice,
    fraction_errors,
    predicted_fractions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Key = tuple[str, ...]
Value = TypeVar("Value")


def agreement_measures(confusion: NDArray[np.int64], classes: tuple[str, ...]) -> dict[Key, float]:
    """Measures of the confusion matrix: kappa; Dice and area fractions of each class.

    Parameters
    ----------
    confusion : ndarray of int64, shape (n_classes, n_classes)
    classes : tuple of str

    Returns
    -------
    dict of tuple of str to float
        By their place in the JSON output; NaN where undefined.

    Examples
    --------
    >>> found = agreement_measures(np.array([[6, 1], [1, 2]]), ("matrix", "particle"))
    >>> found["classes", "particle", "dice"]
    0.6666666666666666
    """
    by_class = {
        "dice": dice(confusion),
        "area_fraction_true": annotated_fractions(confusion),
        "area_fraction_pred": predicted_fractions(confusion),
        "area_fraction_error": fraction_errors(confusion),
    }
    return {
        ("kappa",): float(cohen_kappa(confusion)),
        **_of_classes(by_class, classes),
    }


def size_measures(
    areas_true: NDArray[np.int64], areas_pred: NDArray[np.int64], pixel_size_um: float | None
) -> dict[Key, float]:
    """Errors of number and size of particles (see `uhcs_bench.metrics.particle_sizes.size_errors`).

    Parameters
    ----------
    areas_true, areas_pred : ndarray of int64
        Annotated and predicted areas in pixels.
    pixel_size_um : float or None

    Returns
    -------
    dict of tuple of str to float
        By their place in the JSON output; NaN where undefined.
    """
    errors = asdict(particle_sizes.size_errors(areas_true, areas_pred, pixel_size_um))
    return {("sizes", name): float(value) for name, value in errors.items()}


def boundary_measures(
    annotated: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: tuple[str, ...]
) -> dict[Key, float]:
    """Boundary F1 and boundary IoU of each class, where the annotation has a boundary of it.

    Parameters
    ----------
    annotated, predicted : ndarray of uint8, shape (rows, columns)
    classes : tuple of str

    Returns
    -------
    dict of tuple of str to float
        By their place in the JSON output; NaN where undefined.
    """
    from uhcs_bench.metrics import boundaries

    _, recall = boundaries.boundary_precision_recall(annotated, predicted, len(classes))
    by_class = {
        "boundary_f1": boundaries.boundary_f1(annotated, predicted, len(classes)),
        "boundary_iou": boundaries.boundary_iou(annotated, predicted, len(classes)),
    }
    # Where nothing is annotated there is no boundary to miss, only one to invent.
    by_class = {name: np.where(np.isnan(recall), np.nan, x) for name, x in by_class.items()}
    return _of_classes(by_class, classes)


def instance_measures(
    annotated: NDArray[np.uint8], predicted: NDArray[np.uint8]
) -> dict[Key, float]:
    """Agreement of single particles (see `uhcs_bench.metrics.instances.InstanceScores`).

    Parameters
    ----------
    annotated, predicted : ndarray of uint8, shape (rows, columns)
        Non-zero where there is particle.

    Returns
    -------
    dict of tuple of str to float
        By their place in the JSON output; NaN where undefined.
    """
    from uhcs_bench.metallography import components
    from uhcs_bench.metrics import instances

    scores = instances.match_instances(
        components.label_particles(annotated), components.label_particles(predicted)
    )
    found: dict[Key, float] = {
        ("instances", "panoptic_quality"): scores.panoptic_quality,
        ("instances", "segmentation_quality"): scores.segmentation_quality,
        ("instances", "recognition_quality"): scores.recognition_quality,
        ("instances", "mean_f1"): scores.mean_f1,
    }
    for name in ("precision", "recall", "f1"):
        for threshold, value in zip(scores.thresholds, getattr(scores, name), strict=True):
            found["instances", name, f"{threshold:.2f}"] = float(value)
    return found


def denuded_zone_measures(
    annotated: NDArray[np.uint8], predicted: NDArray[np.uint8], pixel_size_um: float | None
) -> dict[Key, float]:
    """Agreement of the denuded zones' width distributions, as the authors sample them.

    Parameters
    ----------
    annotated, predicted : ndarray of uint8, shape (rows, columns)
        Maps of microconstituents.
    pixel_size_um : float or None

    Returns
    -------
    dict of tuple of str to float
        Error of the mean width and Wasserstein-1 distance of the distributions, in px and um, by
        their place in the JSON output; NaN where a map has no denuded zone.
    """
    from uhcs_bench.metallography import denuded_zone

    widths_true, widths_pred = (
        denuded_zone.denuded_zone_widths(labels).widths_px for labels in (annotated, predicted)
    )
    error = distance = np.nan
    if len(widths_true) and len(widths_pred):
        error = float(widths_pred.mean() - widths_true.mean())
        distance = particle_sizes.wasserstein_distance(widths_true, widths_pred)
    scale = np.nan if pixel_size_um is None else pixel_size_um
    return {
        ("denuded_zone", "mean_width_error_px"): error,
        ("denuded_zone", "mean_width_error_um"): error * scale,
        ("denuded_zone", "wasserstein_px"): distance,
        ("denuded_zone", "wasserstein_um"): distance * scale,
    }


def sensitivity_rows(tables: list[tuple[particle_sizes.SizeTest, ...]]) -> list[dict[str, Any]]:
    """KS score for every way of counting particles (see `uhcs_bench.metrics.particle_sizes.ks_sensitivity`).

    Parameters
    ----------
    tables : list of tuples of SizeTest
        One of each micrograph.

    Returns
    -------
    list of dict
        Rows of the JSON output; the paper's way of counting is the first.
    """
    return [
        {
            **asdict(score.counting),
            "ks_score": score.ks_score,
            "n_consistent": score.n_consistent,
            "n": score.n,
        }
        for score in particle_sizes.ks_score_by_counting(tables)
    ]


def nested(flat: Mapping[Key, Value]) -> dict[str, Any]:
    """Turn names of several parts into dictionaries within dictionaries.

    Examples
    --------
    >>> nested({("kappa",): 0.5, ("sizes", "count_error"): 3})
    {'kappa': 0.5, 'sizes': {'count_error': 3}}
    """
    tree: dict[str, Any] = {}
    for (*path, name), value in flat.items():
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[name] = value
    return tree


def _of_classes(
    by_class: Mapping[str, NDArray[np.float64]], classes: tuple[str, ...]
) -> dict[Key, float]:
    return {
        ("classes", class_name, measure): float(values[label])
        for label, class_name in enumerate(classes)
        for measure, values in by_class.items()
    }
