from . import onnx_model, otsu, preprocessing
from .onnx_model import Segmenter, SegmenterError
from .preprocessing import Preprocessing

__all__ = [
    "Preprocessing",
    "Segmenter",
    "SegmenterError",
    "onnx_model",
    "otsu",
    "preprocessing",
]
