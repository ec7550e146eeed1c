"""Measures of one label map.

Particles and their sizes (`particles`, `components`), widths of the denuded zone (`denuded_zone`),
phase fractions and intercept lengths (`stereology`), particles inside spheroidite (`spheroidite`),
and intervals from blocks of the map (`estimates`). Lengths are in pixels, and in micrometres where
the pixel size is known.

>>> import numpy as np
>>> from uhcs_bench import metallography
>>> mask = np.zeros((20, 20), np.uint8)
>>> mask[4:8, 3:11] = 1
>>> metallography.measure_particles(mask, pixel_size_um=0.5).table["area_um2"]
array([8.])

Imports: `segmentation`, `stats`, `formatting`, `executors` and what stands below them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
