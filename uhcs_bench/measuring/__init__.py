"""Measurements of many label maps.

`row` measures one map, `batch` many, with a `journal` to resume from. `pixel_size` finds the size
of a pixel, `outputs` writes tables and plots, and `calibration` finds the error of the measures on
synthetic micrographs.

Imports: `data`, `web` and what stands below them.
"""
