from . import errors, metallography, metrics, plot, protocol, segmentation, synthetic
from ._version import __version__
from .auditing.tasks import audit
from .data.dataset import Dataset, Fold, load
from .data.micrograph import Micrograph
from .exporters.export import export
from .measuring.calibration import calibrate
from .measuring.combine import combine
from .measuring.measure import measure
from .metallography.denuded_zone import denuded_zone_widths
from .ranking.outputs.board_rows import leaderboard
from .scoring.claims import check
from .scoring.compare import compare
from .scoring.comparison import Comparison
from .scoring.cross_validation import cross_validate
from .scoring.results import Report
from .scoring.saving import save_predictions
from .scoring.score import score

__all__ = [
    "Comparison",
    "Dataset",
    "Fold",
    "Micrograph",
    "Report",
    "__version__",
    "audit",
    "calibrate",
    "check",
    "combine",
    "compare",
    "cross_validate",
    "denuded_zone_widths",
    "errors",
    "export",
    "leaderboard",
    "load",
    "measure",
    "metallography",
    "metrics",
    "plot",
    "protocol",
    "save_predictions",
    "score",
    "segmentation",
    "synthetic",
]
