"""Statistics that know nothing of micrographs.

Bootstrap intervals (`bootstrap`), proportions and ratios (`proportions`), the Kolmogorov
distribution (`kolmogorov`) and paired tests (`paired`).

Imports: `io`, `protocol` and `errors`.
"""
