from . import models, onnx_model, otsu, preprocessing
from .models import load
from .onnx_model import Segmenter, SegmenterError
from .preprocessing import Preprocessing

__all__ = [
    "Preprocessing",
    "Segmenter",
    "SegmenterError",
    "load",
    "models",
    "onnx_model",
    "otsu",
    "preprocessing",
]
