from . import errors, metallography, metrics, protocol, segmentation, synthetic
from ._version import __version__
from .data.dataset import Dataset, Fold, Micrograph, load
from .metallography.denuded_zone import denuded_zone_widths
from .scoring.score import Report, score

__all__ = [
    "Dataset",
    "Fold",
    "Micrograph",
    "Report",
    "__version__",
    "denuded_zone_widths",
    "errors",
    "load",
    "metallography",
    "metrics",
    "protocol",
    "score",
    "segmentation",
    "synthetic",
]
