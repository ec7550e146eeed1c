"""Agreement of two label maps: pixels, boundaries, single particles, particle sizes.

`uhcs_bench.metrics.table` lists every metric. Imports metallography, stats and what is below.
"""
