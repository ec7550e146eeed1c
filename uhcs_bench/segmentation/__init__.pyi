from . import cards, models, onnx_files, onnx_model, otsu, preprocessing
from .models import load
from .onnx_model import Segmenter, SegmenterError
from .preprocessing import Preprocessing

__all__ = [
    "Preprocessing",
    "Segmenter",
    "SegmenterError",
    "cards",
    "load",
    "models",
    "onnx_files",
    "onnx_model",
    "otsu",
    "preprocessing",
]
