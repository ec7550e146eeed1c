"""Measurements of many label maps.

`row` measures one map, `batch` many, with a `journal` to resume from and `executors` to share the
work. `pixel_size` finds the size of a pixel, `plots` draws, and `calibration` finds the error of
the measures on synthetic micrographs.

Imports: `data`, `web` and what stands below them.
"""
