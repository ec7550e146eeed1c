"""Micrographs whose truth is known, made by a model of structure and microscope.

`particles` and `hypereutectoid` return an image, its exact label map and everything that was drawn
(`micrographs`). Structures are in `particle_field` and `network`, the microscope is in `imaging`.

>>> from uhcs_bench import synthetic
>>> made = synthetic.particles(seed=7, shape=(100, 120), pixel_size_um=0.04)
>>> made.image.shape, sorted(set(made.labels.flat)) == [0, 1]
((100, 120), True)

Imports: `metallography` and what stands below it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
