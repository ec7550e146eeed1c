"""Benchmark for the segmentation of ultrahigh-carbon-steel micrographs.

Two annotated data sets, their fixed cross-validation folds, and the scores of the paper that
introduced them:

>>> import uhcs_bench
>>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
>>> report = uhcs_bench.score({m.id: m.labels for m in fold.val}, fold=2, version="synthetic")
>>> report["particles"].conventions["paper"].AC.mean
1.0

Leave `version` out for the real micrographs. Importing the package reads no file and loads none of
its heavy dependencies; each part loads what it needs when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from uhcs_bench import errors, images, metrics, otsu, protocol, submission
    from uhcs_bench.dataset import Dataset, Fold, Micrograph, load
    from uhcs_bench.denuded_zone import denuded_zone_widths
    from uhcs_bench.scoring import Report, score

__all__ = [
    "Dataset",
    "Fold",
    "Micrograph",
    "Report",
    "__version__",
    "denuded_zone_widths",
    "errors",
    "images",
    "load",
    "metrics",
    "otsu",
    "protocol",
    "score",
    "submission",
]

_HOME_MODULES = {
    "Dataset": "dataset",
    "Fold": "dataset",
    "Micrograph": "dataset",
    "load": "dataset",
    "denuded_zone_widths": "denuded_zone",
    "Report": "scoring",
    "score": "scoring",
}


def __getattr__(name: str) -> object:
    if name in _HOME_MODULES:
        return getattr(importlib.import_module(f"uhcs_bench.{_HOME_MODULES[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"uhcs_bench.{name}")
    raise AttributeError(f"module 'uhcs_bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
