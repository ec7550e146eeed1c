"""Segment micrographs with any network that is stored as an ONNX file.

The file describes itself, in its ``metadata_props``:

================================ ===================================================================
``uhcs_bench.schema``            ``uhcs-bench/segmenter/1``
``uhcs_bench.classes``           JSON list of the class names; a class's label is its position
``uhcs_bench.preprocessing``     JSON object with the attributes of `Preprocessing`; what is left
                                 out has its default
``uhcs_bench.task``              optional: the benchmark's task that the classes are those of
``uhcs_bench.halo``              optional: how many pixels around a tile its labels depend on
``uhcs_bench.about``             optional: licence, training data and score, see
                                 `uhcs_bench.segmentation.cards.Card.from_about`
================================ ===================================================================

The network has one input, floats of shape (1, channels, h, w) for any h and w, and its first output
is either logits of shape (1, classes, h, w) or labels, integers of shape (1, h, w). Both are tried
when the file is loaded, so that a network for one size only, or with another layout, is refused
before any micrograph is read.

Where the file states a halo, memory is what the network takes for one tile, for the baselines'
PixelNet 2.9 GiB, beside the micrograph and its label map of one byte for each pixel: tiles are
prepared one by one, too. Without a halo it grows with the micrograph.
"""

from __future__ import annotations

import json
import reprlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import MissingPackageError, UhcsBenchError, UsageError, in_words, listed
from uhcs_bench.io import paths
from uhcs_bench.io.texts import from_json
from uhcs_bench.segmentation import onnx_files
from uhcs_bench.segmentation.cards import ABOUT_KEY, Card
from uhcs_bench.segmentation.preprocessing import Prepared, Preprocessing, gray_micrograph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

SCHEMA = "uhcs-bench/segmenter/1"

SCHEMA_KEY = "uhcs_bench.schema"
CLASSES_KEY = "uhcs_bench.classes"
PREPROCESSING_KEY = "uhcs_bench.preprocessing"
TASK_KEY = "uhcs_bench.task"
HALO_KEY = "uhcs_bench.halo"

MAX_CLASSES = 256
"""Label maps are uint8."""

MAX_HALO = 65536
"""Pixels; no tile of a micrograph has so many around it."""

MAX_THREADS = 1024
"""More than any machine for this has cores."""

TILE_SIDE = 1024
"""Height and width of the tiles that large images are segmented in, without their halo."""

WHOLE_PIXELS = 2 * TILE_SIDE**2
"""Images of up to so many pixels are seen whole."""

_TRIAL_SIDE = 64

_INPUT_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}

_HOW_TO = """\
The keys can be set with the package onnx:

    import onnx
    from uhcs_bench.segmentation.equalization import Equalization
    from uhcs_bench.segmentation.preprocessing import Preprocessing
    from uhcs_bench.segmentation.onnx_model import Description

    model = onnx.load("{name}")
    description = Description(
        classes=("matrix", "particle"),
        task="particles",
        preprocessing=Preprocessing(equalize=Equalization(), multiple=16),
    )
    onnx.helper.set_model_props(model, description.to_metadata())
    onnx.save(model, "{name}")"""


class SegmenterError(UhcsBenchError):
    """A model that can't be used, or that gave something that is no segmentation.

    Its message is whole sentences and names the model's file.
    """


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a model's file says of itself.

    Attributes
    ----------
    classes : tuple of str
        A class's label is its position.
    task : str or None
        The benchmark's task that has these classes.
    preprocessing : Preprocessing
    halo : int or None
        Pixels around a tile that its labels depend on. Images of more than `WHOLE_PIXELS` pixels
        are then segmented in tiles, with the same result. None: every image is seen whole, however
        much memory that takes.

    Examples
    --------
    >>> description = Description(classes=("matrix", "particle"), task="particles")
    >>> Description.from_metadata(description.to_metadata()) == description
    True
    """

    classes: tuple[str, ...]
    task: str | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    halo: int | None = None

    def to_metadata(self) -> dict[str, str]:
        """Give keys and values for the file's ``metadata_props``."""
        metadata = {
            SCHEMA_KEY: SCHEMA,
            CLASSES_KEY: json.dumps(list(self.classes)),
            PREPROCESSING_KEY: json.dumps(self.preprocessing.to_dict()),
        }
        if self.task is not None:
            metadata[TASK_KEY] = self.task
        if self.halo is not None:
            metadata[HALO_KEY] = str(self.halo)
        return metadata

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Description:
        """Undo `to_metadata`.

        Parameters
        ----------
        metadata : mapping
            Keys of other programs are ignored.

        Returns
        -------
        Description

        Raises
        ------
        ValueError
            A key is missing or its value makes no sense; the message has a line for each.
        """
        found: dict[str, Any] = {}
        problems = []
        for key, read in (
            (SCHEMA_KEY, _read_schema),
            (CLASSES_KEY, _read_classes),
            (PREPROCESSING_KEY, _read_preprocessing),
            (TASK_KEY, _read_task),
            (HALO_KEY, _read_halo),
        ):
            if key in metadata:
                try:
                    found[key] = read(metadata[key])
                except ValueError as error:
                    problems.append(f"{key}: {in_words(error)}.")
            elif key not in (TASK_KEY, HALO_KEY):
                problems.append(f"{key} is missing.")
        task, classes = found.get(TASK_KEY), found.get(CLASSES_KEY)
        if task and classes and classes != protocol.task(task).classes:
            problems.append(
                f"{CLASSES_KEY}: {', '.join(classes)} are not the classes of the task {task} "
                f"({', '.join(protocol.task(task).classes)}); leave {TASK_KEY} out."
            )
        if problems:
            raise ValueError("\n".join(problems))
        return cls(
            classes=found[CLASSES_KEY],
            task=task,
            preprocessing=found[PREPROCESSING_KEY],
            halo=found.get(HALO_KEY),
        )


def _read_schema(text: str) -> str:
    if text != SCHEMA:
        raise ValueError(f"it is {text!r}; this version of uhcs-bench reads {SCHEMA!r}")
    return text


def _read_json(text: str) -> Any:
    try:
        return from_json(text)
    except ValueError as error:
        raise ValueError(f"it is no JSON ({error})") from error


def _read_classes(text: str) -> tuple[str, ...]:
    classes = _read_json(text)
    named = isinstance(classes, list) and all(isinstance(c, str) and c for c in classes)
    if not named or len(set(classes)) < len(classes) or not 2 <= len(classes) <= MAX_CLASSES:
        raise ValueError(f"it is {text}, not a list of 2 to {MAX_CLASSES} different names")
    return tuple(classes)


def _read_preprocessing(text: str) -> Preprocessing:
    steps = _read_json(text)
    if not isinstance(steps, dict):
        raise ValueError(f"it is {text}, not an object")
    return Preprocessing.from_dict(steps)


def _read_task(text: str) -> str:
    return protocol.task(text).name


def _read_halo(text: str) -> int:
    # The digits are counted first: Python refuses to read a very long number.
    if not text.isdecimal() or len(text) > len(str(MAX_HALO)) or int(text) > MAX_HALO:
        shown = reprlib.repr(text)
        raise ValueError(f"it is {shown}, not a number of pixels from 0 to {MAX_HALO}")
    return int(text)


class Segmenter:
    """A network that segments micrographs; `load` makes one.

    It can be pickled, and then reads its file anew, so that it can be sent to other processes that
    see the same files.

    Attributes
    ----------
    path : Path
        The model's file.
    description : Description
    card : Card
        Licence, training data and score, where the file states them.
    """

    def __init__(
        self, path: Path, description: Description, card: Card, session: Any, threads: int
    ) -> None:
        self.path = path
        self.description = description
        self.card = card
        self._session = session
        self._threads = threads

    def __reduce__(self) -> tuple[Any, ...]:
        return load, (self.path, self._threads, self.card.name)

    def __repr__(self) -> str:
        return f"Segmenter({str(self.path)!r}, classes={self.classes!r}, task={self.task!r})"

    @property
    def task(self) -> str | None:
        """The benchmark's task that has these classes, if the file names one."""
        return self.description.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a class's label is its position."""
        return self.description.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to a micrograph before the network sees it."""
        return self.description.preprocessing

    def segment(self, image: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Segment a micrograph of any size.

        Parameters
        ----------
        image : ndarray of any integer or float dtype, shape (h, w) or (h, w, 3)
            Raw gray values; three channels must be equal.

        Returns
        -------
        ndarray of uint8, shape (h, w)
            Class labels.

        Raises
        ------
        UsageError
            It is no array of one gray image, or its values are too large to be taken as they are.
        SegmenterError
            The network fails, or what it gives is no segmentation.
        """
        pixels = gray_micrograph(image)
        prepared = Prepared(pixels, self.preprocessing)
        labels = np.empty(pixels.shape, dtype=np.uint8)
        for tile in _tiles(prepared.shape, self.preprocessing.multiple, self.description.halo):
            seen = self._run(prepared.window(tile.outer_rows, tile.outer_columns))
            # The mirrored border has labels, but no place for them.
            place = labels[tile.rows, tile.columns]
            inner = seen[tile.inner_rows, tile.inner_columns]
            place[...] = inner[: place.shape[0], : place.shape[1]]
        return labels

    def try_out(self) -> None:
        """Run the network on two small images of noise, of different height and width.

        Raises
        ------
        SegmenterError
            It fails, or gives something that is no segmentation.
        """
        multiple = self.preprocessing.multiple
        for size in ((_TRIAL_SIDE, 2 * _TRIAL_SIDE), (2 * _TRIAL_SIDE, 3 * _TRIAL_SIDE)):
            shape = [-(-side // multiple) * multiple for side in size]
            noise = np.random.default_rng(0).random((self.preprocessing.channels, *shape))
            self._output(noise.astype(np.float32))

    def _run(self, planes: NDArray[np.float32]) -> NDArray[np.uint8]:
        output_name = self._session.get_outputs()[0].name
        output = self._output(planes)
        if output.ndim == 3:
            return self._checked_labels(output[0], output_name)
        if not np.isfinite(output).all():
            raise SegmenterError(
                f"{self.path}: its output {output_name!r} holds values that are not finite. Check "
                f"that {PREPROCESSING_KEY} is what the network was trained with."
            )
        return np.asarray(output[0].argmax(axis=0), dtype=np.uint8)

    def _output(self, planes: NDArray[np.float32]) -> NDArray[Any]:
        place = self._session.get_inputs()[0]
        batch = np.ascontiguousarray(planes[np.newaxis], dtype=_INPUT_TYPES[place.type])
        height, width = planes.shape[1:]
        output_name = self._session.get_outputs()[0].name
        try:
            output = self._session.run([output_name], {place.name: batch})[0]
        except Exception as error:
            raise SegmenterError(
                f"{self.path} could not segment {height} x {width} pixels "
                f"({' '.join(str(error).split())[:300]}). If memory ran out, cut the image up; if "
                f"the network needs sizes that are multiples of some number, say so in its "
                f'{PREPROCESSING_KEY} ("multiple").'
            ) from error
        problem = _output_problem(
            np.dtype(output.dtype).kind, list(output.shape), (height, width), len(self.classes)
        )
        if problem:
            raise SegmenterError(f"{self.path}: its output {output_name!r} {problem}.")
        checked: NDArray[Any] = output
        return checked

    def _checked_labels(self, labels: NDArray[Any], output_name: str) -> NDArray[np.uint8]:
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= len(self.classes):
            raise SegmenterError(
                f"{self.path}: its output {output_name!r} holds the label "
                f"{low if low < 0 else high}, but its {len(self.classes)} classes "
                f"({', '.join(self.classes)}) have the labels 0 to {len(self.classes) - 1}."
            )
        return labels.astype(np.uint8)


def load(path: str | Path, threads: int = 0, name: str | None = None) -> Segmenter:
    """Load a network.

    Parameters
    ----------
    path : str or Path
        An ONNX file with the metadata that this module's docstring lists. ``python -m baselines
        export`` writes such files.
    threads : int
        That the network computes on; 0 takes one for each core.
    name : str, optional
        What its card calls it. By default the file's name.

    Returns
    -------
    Segmenter

    Raises
    ------
    SegmenterError
        The file is missing or no ONNX model, it does not describe itself, or it takes images of one
        size only or in another layout; the message says how to mend that.
    ModelFileError
        It takes weights from a file that is missing or outside of its folder.
    MissingPackageError
        onnxruntime is not installed.
    """
    if not isinstance(path, str | Path):
        raise UsageError(f"A model can't be {path!r}. Give the path of an ONNX file.")
    threads = checked_threads(threads)
    path = paths.given(path)
    if not path.is_file():
        raise SegmenterError(f"There is no model {path}. Give the path of an ONNX file.")
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError("Segmenting with an ONNX model", "measure") from error
    try:
        sha256 = onnx_files.content_sha256(path)  # also checks what it takes weights from
    except onnx_files.DamagedModelError as error:
        raise SegmenterError(str(error)) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # what is wrong is raised
    try:
        session = onnxruntime.InferenceSession(
            path, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise SegmenterError(
            f"{path} is no ONNX model that onnxruntime {onnxruntime.__version__} can run "
            f"({' '.join(str(error).split())[:300]})."
        ) from error
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        description = Description.from_metadata(metadata)
    except ValueError as error:
        fact = f"{path} is an ONNX model, but its metadata do not state how to use it"
        text = listed(fact, str(error).splitlines())
        raise SegmenterError(f"{text}\n{_HOW_TO.format(name=path.name)}") from error
    problems = _interface_problems(session, description)
    if problems:
        raise SegmenterError(listed(f"{path} was not loaded", [f"{text}." for text in problems]))
    try:
        card = Card.from_about(name or path.name, sha256, metadata.get(ABOUT_KEY))
    except ValueError as error:
        lines = [f"{ABOUT_KEY}: {line}." for line in str(error).splitlines()]
        advice = "Write the key again, or take it out: it is optional."
        fact = f"{path} was not loaded, because what its metadata state of it is damaged"
        raise SegmenterError(f"{listed(fact, lines)}\n{advice}") from error
    segmenter = Segmenter(path, description, card, session, threads)
    segmenter.try_out()
    return segmenter


def checked_threads(threads: int) -> int:
    """Give back a number of threads that a network can compute on.

    Raises
    ------
    UsageError
        It is no whole number, or out of range.

    Examples
    --------
    >>> checked_threads(2)
    2
    """
    is_whole = isinstance(threads, int | np.integer) and not isinstance(threads, bool)
    if not is_whole or not 0 <= threads <= MAX_THREADS:
        raise UsageError(
            f"A network can't compute on {threads!r} threads. Give a whole number from 1 to "
            f"{MAX_THREADS}, or 0 for one on each core."
        )
    return int(threads)


def _interface_problems(session: Any, description: Description) -> list[str]:
    """List what is wrong with the shapes and types that a model declares."""
    inputs, output = session.get_inputs(), session.get_outputs()[0]
    if len(inputs) != 1:
        names = ", ".join(repr(place.name) for place in inputs)
        return [f"it has {len(inputs)} inputs ({names}), not one"]
    place, channels = inputs[0], description.preprocessing.channels
    problems = []
    if place.type not in _INPUT_TYPES:
        known = ", ".join(_INPUT_TYPES)
        problems.append(f"its input {place.name!r} takes {place.type}, not one of {known}")
    if not _fits(place.shape, (1, channels, None, None)):
        problems.append(
            f"its input {place.name!r} has the shape {_written(place.shape)}, not (1, {channels}, "
            f"h, w) with {channels} channels as in its {PREPROCESSING_KEY}"
        )
    elif any(isinstance(side, int) for side in place.shape[2:]):
        problems.append(
            f"its input {place.name!r} takes images of one size only, {_written(place.shape)}; "
            "export it for any height and width (dynamic axes)"
        )
    kind = "f" if output.type in _INPUT_TYPES else "i" if "int" in output.type else "?"
    problem = _output_problem(kind, output.shape, (None, None), len(description.classes))
    if problem:
        problems.append(f"its output {output.name!r} {problem}")
    return problems


def _output_problem(
    kind: str,
    shape: Sequence[int | str | None],
    size: tuple[int | None, int | None],
    n_classes: int,
) -> str | None:
    """Say what keeps an output from being a segmentation; names stand for unknown sizes."""
    if kind == "f" and _fits(shape, (1, n_classes, *size)):
        return None
    if kind in "iu" and _fits(shape, (1, *size)):
        return None
    values = {"f": "floats", "i": "integers", "u": "integers"}.get(kind, "other values")
    height, width = (name if n is None else n for name, n in zip("hw", size, strict=True))
    return (
        f"holds {values} of shape {_written(shape)}; expected are logits, floats of shape "
        f"(1, {n_classes}, {height}, {width}) for its {n_classes} classes, or labels, integers of "
        f"shape (1, {height}, {width})"
    )


def _fits(shape: Sequence[int | str | None], expected: Sequence[int | None]) -> bool:
    return len(shape) == len(expected) and all(
        not isinstance(size, int) or wanted in (None, size)
        for size, wanted in zip(shape, expected, strict=True)
    )


def _written(shape: Sequence[int | str | None]) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"


@dataclass(frozen=True)
class _Tile:
    """Where a tile lies in the image, with its halo and without, and inside its halo."""

    rows: slice
    columns: slice
    outer_rows: slice
    outer_columns: slice
    inner_rows: slice
    inner_columns: slice


def _tiles(size: tuple[int, int], multiple: int, halo: int | None) -> Iterator[_Tile]:
    """Cut an image up; every edge of a tile lies on a multiple, or at the image's border.

    With their halo all tiles have one shape: onnxruntime keeps memory for each shape that it sees.
    """
    height, width = size
    side: int | None = None
    if halo is None or height * width <= WHOLE_PIXELS:
        halo = 0
    else:
        side = TILE_SIDE
        halo = -(-halo // multiple) * multiple
    for rows, outer_rows, inner_rows in _stretches(height, side, halo, multiple):
        for columns, outer_columns, inner_columns in _stretches(width, side, halo, multiple):
            yield _Tile(rows, columns, outer_rows, outer_columns, inner_rows, inner_columns)


def _stretches(
    size: int, longest: int | None, halo: int, multiple: int
) -> Iterator[tuple[slice, slice, slice]]:
    """Part a side evenly; at the border the halo goes further inwards instead."""
    n = 1 if longest is None else -(-size // longest)
    side = -(-size // (n * multiple)) * multiple
    outer = min(side + 2 * halo, size)
    for start in range(0, size, side):
        stop = min(start + side, size)
        first = min(max(start - halo, 0), size - outer)
        yield slice(start, stop), slice(first, first + outer), slice(start - first, stop - first)
