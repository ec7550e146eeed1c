"""Segmenters by name: Otsu's threshold, the models that come with the package, and ONNX files.

The models that come with the package, one for each task, are networks of the board's method
`unet-efficientnet`, trained on all 24 micrographs of a task with the same settings. Each file
states its licence, training data, range of pixel sizes and the score of its cross-validated twin
under the key ``uhcs_bench.about``. ``python -m baselines ship`` writes such a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.segmentation import onnx_files, onnx_model, otsu
from uhcs_bench.segmentation.cards import Card
from uhcs_bench.segmentation.preprocessing import gray, stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = ("particles", "microconstituents")
"""Names of the models that come with the package: those of the tasks."""

OTSU = "otsu"
"""Name of the segmenter that needs neither a file nor onnxruntime."""


class AnySegmenter(Protocol):
    """What segments micrographs."""

    @property
    def task(self) -> str | None: ...  # noqa: D102
    @property
    def classes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def card(self) -> Card: ...  # noqa: D102
    def segment(self, image: NDArray[np.generic]) -> NDArray[np.uint8]: ...  # noqa: D102


class Threshold:
    """Otsu's threshold for a task, for micrographs of any depth.

    Parameters
    ----------
    task : str
        Name or alias of a task.

    Examples
    --------
    >>> Threshold("particles").segment(np.array([[20, 30, 2000], [25, 2100, 2050]], np.uint16))
    array([[0, 0, 1],
           [0, 1, 1]], dtype=uint8)
    """

    def __init__(self, task: str) -> None:
        known = protocol.task(task)
        self.task: str | None = known.name
        self.classes = known.classes
        self.card = Card(
            OTSU,
            method="Otsu's threshold, see uhcs_bench.segmentation.otsu",
            licence="MIT, as this package",
            training="nothing, since it has no parameters",
            score=_OTSU_SCORES[known.name],
        )

    def segment(self, image: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Segment a micrograph.

        Parameters
        ----------
        image : ndarray of any integer or float dtype, shape (h, w) or (h, w, 3)
            Raw gray values; three channels must be equal. What is no uint8 is mapped to 256
            levels, from its darkest to its brightest value.

        Returns
        -------
        ndarray of uint8, shape (h, w)

        Raises
        ------
        ImageError
            The array is no gray image; the message is a phrase that follows the image's name.
        """
        pixels = gray(image)
        is_deep = pixels.dtype != np.uint8
        levels = np.rint(255 * stretch(pixels)).astype(np.uint8) if is_deep else pixels
        return otsu.segment(levels.astype(np.uint8), str(self.task))


_OTSU_SCORES = {
    "particles": "IU 71.6 % over the benchmark's 24 micrographs",
    "microconstituents": "IU 13.7 % over the benchmark's 24 micrographs",
}
"""What ``uhcs-bench score`` gives for ``python -m baselines otsu``; tested against the board."""


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


def sha256(model: str | Path) -> str:
    """Return the hash of all files of a model; empty for `OTSU`.

    Raises
    ------
    UsageError
        If there is no such file.
    ModelFileError
        If it takes weights from a file that is missing or outside of its folder.
    """
    if str(model) == OTSU:
        return ""
    path = find(model)
    if not path.is_file():
        raise UsageError(
            f"The model {path} does not exist. Give an ONNX file, or "
            f"{', '.join((OTSU, *NAMES[:-1]))} or {NAMES[-1]}."
        )
    return onnx_files.content_sha256(path)


def load(model: str | Path, threads: int = 0, task: str | None = None) -> AnySegmenter:
    """Load a segmenter by its name, or an ONNX file.

    Parameters
    ----------
    model : str or Path
        ``"otsu"``, the name of a model that comes with the package (``"particles"`` or
        ``"microconstituents"``), or an ONNX file, see `uhcs_bench.segmentation.onnx_model`.
    threads : int, optional
        That a network computes on; 0 takes one for each core.
    task : str, optional
        Name or alias of the task that Otsu's threshold is for; networks know theirs.

    Returns
    -------
    Segmenter or Threshold
        Both have ``segment``, ``task``, ``classes`` and ``card``.

    Raises
    ------
    SegmenterError
        If the file is no network that can be used; everything that is wrong with it is listed.
    UsageError
        If Otsu's threshold is not told its task.
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
    if isinstance(model, str) and model == OTSU:
        if task is None:
            names = " or ".join(repr(name) for name in protocol.TASKS)
            raise UsageError(f"Otsu's threshold is for several tasks. Say which: task={names}.")
        return Threshold(task)
    name = str(model)
    # What is neither text nor a path is refused there.
    path = find(model) if name in NAMES else model
    return onnx_model.load(path, threads, name if name in NAMES else None)
