"""Segmentation of micrographs into label maps.

Otsu's threshold (`otsu`), any network in an ONNX file (`onnx_model`, `onnx_files`), all of them by
name (`models`) with what is known of each (`cards`), and what is done to an image before a network
sees it (`preprocessing`).

>>> import numpy as np
>>> from uhcs_bench import segmentation
>>> segmentation.otsu.segment(np.array([[20, 30, 200], [25, 210, 205]], np.uint8), "particles")
array([[0, 0, 1],
       [0, 1, 1]], dtype=uint8)

Imports: `io`, `protocol` and what stands below them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
