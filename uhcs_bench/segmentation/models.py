"""Segmenters by name: Otsu's threshold, the models that come with the package, and ONNX files.

The models that come with the package, one for each task, are networks of the board's method
`unet-efficientnet`, trained on all 24 micrographs of a task with the same settings. Each file
states its licence, training data, range of pixel sizes and the score of its cross-validated twin
under the key ``uhcs_bench.about``. ``python -m baselines ship`` writes such a file.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import UsageError
from uhcs_bench.io import paths
from uhcs_bench.segmentation import onnx_files, onnx_model, otsu
from uhcs_bench.segmentation.cards import Card
from uhcs_bench.segmentation.preprocessing import gray_micrograph, stretch

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

    def __repr__(self) -> str:
        return f"Threshold({self.task!r}, classes={self.classes!r})"

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
        UsageError
            It is no array of one gray image.
        """
        pixels = gray_micrograph(image)
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
        A name of `NAMES`, the alias of such a task, or the path of an ONNX file.

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
    model = without_alias(model)
    if str(model) in NAMES:
        return Path(__file__).with_name("shipped") / f"{model}.onnx"
    return paths.given(model)


def without_alias(model: str | Path) -> str | Path:
    """Give the name of the model that comes with the package for a task, by the task's alias.

    Examples
    --------
    >>> without_alias("spheroidite"), without_alias("otsu")
    ('particles', 'otsu')
    """
    of = {alias: name for name in NAMES for alias in protocol.task(name).aliases}
    return of.get(str(model), model)


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
    return onnx_files.content_sha256(_existing(model))


def _existing(model: str | Path) -> Path:
    """Find the file of a model, or say which names and files there are."""
    known = (OTSU, *NAMES)
    names = f"{', '.join(known[:-1])} or {known[-1]}"
    if not isinstance(model, str | Path):
        raise UsageError(f"A model can't be {model!r}. Give {names}, or the path of an ONNX file.")
    if not str(model).strip():
        raise UsageError(
            f"The name of the model is empty. Give {names}, or the path of an ONNX file."
        )
    path = find(model)
    if not path.is_file():
        near = get_close_matches(str(model), known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(
            f"There is no model {path}{hint}. Give {names}, or the path of an ONNX file."
        )
    return path


def load(model: str | Path, threads: int = 0, task: str | None = None) -> AnySegmenter:
    """Load a segmenter by its name, or an ONNX file.

    Parameters
    ----------
    model : str or Path
        ``"otsu"``, the name of a model that comes with the package (``"particles"`` or
        ``"microconstituents"``, or an alias of that task), or an ONNX file, see
        `uhcs_bench.segmentation.onnx_model`.
    threads : int, optional
        That a network computes on; 0 takes one for each core.
    task : str, optional
        Name or alias of the task that Otsu's threshold is for. Networks know theirs; with a task
        of other classes they are refused.

    Returns
    -------
    Segmenter or Threshold
        Both have ``segment``, ``task``, ``classes`` and ``card``.

    Raises
    ------
    SegmenterError
        If the file is no network that can be used; everything that is wrong with it is listed.
    UsageError
        If there is no such model, Otsu's threshold is not told its task, or the network's classes
        are not those of the task.
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
    threads = onnx_model.checked_threads(threads)
    if str(model) == OTSU:
        if task is None:
            names = " or ".join(repr(name) for name in protocol.TASKS)
            raise UsageError(f"Otsu's threshold is for several tasks. Give one: task={names}.")
        return Threshold(task)
    wanted = None if task is None else protocol.task(task)
    model = without_alias(model)
    name = str(model) if str(model) in NAMES else None
    network = onnx_model.load(_existing(model), threads, name)
    if wanted is not None and network.classes != wanted.classes:
        raise UsageError(
            f"{model} has the classes {', '.join(network.classes)}; those of {wanted.name} are "
            f"{', '.join(wanted.classes)}. Give a model for {wanted.name}, or another task."
        )
    return network
