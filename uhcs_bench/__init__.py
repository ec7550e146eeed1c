"""Benchmark for the segmentation of ultrahigh-carbon-steel micrographs.

Two annotated data sets, their fixed cross-validation folds, and the scores of the paper that
introduced them:

>>> import uhcs_bench
>>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
>>> report = uhcs_bench.score({m.id: m.labels for m in fold.val}, fold=2, version="synthetic")
>>> report["particles"].conventions["paper"].AC.mean
1.0

Leave `version` out for the real micrographs. Each command ``uhcs-bench NAME`` that computes
something has a function of the same name: `score`, `compare`, `check`, `measure`, `combine`,
`audit`, `export` and `calibrate`. `cross_validate` trains and predicts fold by fold,
`save_predictions` writes a submission, `leaderboard` gives the board, `plot` draws. The packages
`metrics`, `metallography`, `segmentation` and `synthetic` hold the functions that work on single
arrays.

Importing the package reads no data and no heavy library; each part is imported at first use.
"""

import lazy_loader

from uhcs_bench._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
