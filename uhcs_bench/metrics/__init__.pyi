from . import boundaries, confusion, instances, particle_sizes
from .boundaries import boundary_f1, boundary_iou, boundary_precision_recall
from .confusion import (
    accuracy,
    annotated_fractions,
    cohen_kappa,
    confusion_matrix,
    dice,
    fraction_errors,
    intersection_over_union,
    precision,
    predicted_fractions,
    recall,
)
from .instances import InstanceScores, match_instances
from .particle_sizes import SizeErrors, ks_sensitivity, ks_test, size_errors, wasserstein_distance

__all__ = [
    "InstanceScores",
    "SizeErrors",
    "accuracy",
    "annotated_fractions",
    "boundaries",
    "boundary_f1",
    "boundary_iou",
    "boundary_precision_recall",
    "cohen_kappa",
    "confusion",
    "confusion_matrix",
    "dice",
    "fraction_errors",
    "instances",
    "intersection_over_union",
    "ks_sensitivity",
    "ks_test",
    "match_instances",
    "particle_sizes",
    "precision",
    "predicted_fractions",
    "recall",
    "size_errors",
    "wasserstein_distance",
]
