from . import errors, metallography, metrics, protocol, segmentation, synthetic
from ._version import __version__
from .auditing.tasks import audit
from .data.dataset import Dataset, Fold, load
from .data.micrograph import Micrograph
from .exporters.export import export
from .measuring.calibration import calibrate
from .measuring.combine import combine
from .measuring.measure import measure
from .metallography.denuded_zone import denuded_zone_widths
from .scoring.compare import compare
from .scoring.results import Report
from .scoring.score import score

__all__ = [
    "Dataset",
    "Fold",
    "Micrograph",
    "Report",
    "__version__",
    "audit",
    "calibrate",
    "combine",
    "compare",
    "denuded_zone_widths",
    "errors",
    "export",
    "load",
    "measure",
    "metallography",
    "metrics",
    "protocol",
    "score",
    "segmentation",
    "synthetic",
]
