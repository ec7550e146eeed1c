"""Statistics that know nothing of micrographs.

Intervals of means (`means`), of paired differences (`differences`, `paired_proportions`), of what
is measured on one map (`blocks`) and of proportions (`proportions`); standard errors
(`standard_errors`), the Kolmogorov distribution (`kolmogorov`), paired tests (`paired`), ranks
(`ranks`) and runs of one method (`runs`).

Imports: `io`, `protocol` and what stands below them.
"""
