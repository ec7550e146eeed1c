"""Measures of agreement from confusion matrices, beside those of the paper.

The paper's are in `uhcs_bench.metrics.confusion`. All take confusion matrices with the annotated classes in
rows and the predicted ones in columns, one or a stack of them, and give fractions without a unit.
Undefined values are NaN.
"""

from __future__ import annotations
