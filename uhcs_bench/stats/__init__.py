"""Bootstrap intervals, proportions, paired tests, the Kolmogorov distribution, undefined numbers.

Imports the protocol alone.
"""
