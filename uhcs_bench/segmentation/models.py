"""The models that come with the package, one for each task.

They are networks of the board's method `unet-efficientnet`, trained on all 24 micrographs of a task
with the same settings. Each file states its licence, training data, range of pixel sizes and the
score of its cross-validated twin under the key ``uhcs_bench.about``.
``python -m baselines ship`` writes such a file.
"""

from __future__ import annotations

from pathlib import Path

from uhcs_bench.segmentation import onnx_model

NAMES = ("particles", "microconstituents")
"""Names of the models: those of the tasks."""


def find(model: str | Path) -> Path:
    """Find the file of a model.

    Parameters
    ----------
    model : str or Path
        A name of `NAMES`, or the path of an ONNX file.

    Returns
    -------
    Path

    Examples
    --------
    >>> find("particles").name
    'particles.onnx'
    >>> find("networks/mine.onnx").as_posix()
    'networks/mine.onnx'
    """
    if str(model) in NAMES:
        return Path(__file__).with_name("shipped") / f"{model}.onnx"
    return Path(model)


def load(model: str | Path, threads: int = 0) -> onnx_model.Segmenter:
    """Load a model that comes with the package, or an ONNX file.

    Parameters
    ----------
    model : str or Path
        A name of `NAMES`, or the path of an ONNX file, see `uhcs_bench.segmentation.onnx_model`.
    threads : int, optional
        That the network computes on; 0 takes one for each core.

    Returns
    -------
    Segmenter

    Raises
    ------
    SegmenterError
        If the file is no network that can be used; everything that is wrong with it is listed.
    MissingPackageError
        If onnxruntime is not installed.

    Examples
    --------
    >>> import uhcs_bench
    >>> micrograph = uhcs_bench.load("particles", version="synthetic")["synthetic-particles-00"]
    >>> model = load("particles", threads=1)
    >>> labels = model.segment(micrograph.image)
    >>> labels.shape == micrograph.image.shape, model.classes
    (True, ('matrix', 'particle'))
    """
    return onnx_model.load(find(model), threads)
