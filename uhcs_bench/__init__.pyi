from . import errors, metallography, metrics, protocol, segmentation, synthetic
from ._version import __version__
from .data.dataset import Dataset, Fold, load
from .data.micrograph import Micrograph
from .metallography.denuded_zone import denuded_zone_widths
from .scoring.results import Report
from .scoring.score import score

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
