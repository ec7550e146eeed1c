"""Agreement of an annotated and a predicted label map.

Pixels (`confusion`), boundaries (`boundaries`), single particles (`instances`) and the distribution
of their sizes (`particle_sizes`); `pair` holds both maps, `table` lists every metric. A measure
that is undefined is NaN.

>>> import numpy as np
>>> from uhcs_bench import metrics
>>> counts = metrics.confusion_matrix(np.array([[0, 0, 1]]), np.array([[0, 1, 1]]), n_classes=2)
>>> metrics.intersection_over_union(counts)
array([0.5, 0.5])

Imports: `metallography` and what stands below it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
