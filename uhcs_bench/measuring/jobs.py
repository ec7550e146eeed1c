"""One file of a run: what is to be done with it, and what came of it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.data import label_maps, registry
from uhcs_bench.data.pixels import pixel_sha256
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import images, installed_code
from uhcs_bench.measuring import data_bar, identity, inputs, pixel_size
from uhcs_bench.measuring import row as measurement
from uhcs_bench.metallography import arguments, components

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from uhcs_bench.data.registry import Entry
    from uhcs_bench.io.tables import Row
    from uhcs_bench.measuring.pixel_size import Scale
    from uhcs_bench.measuring.row import Measurement
    from uhcs_bench.segmentation.models import AnySegmenter

Kind = Literal["plots", "maps", "overlays", "rois"]


@dataclass(frozen=True)
class Options:
    """What is measured, and how.

    Attributes
    ----------
    task : str
        What the labels mean.
    pixel_size_um : float or None
        Edge of a pixel in micrometres, where the user knows better than registry and file.
    model : str or None
        What segments the inputs, if they are micrographs: a name or the path of an ONNX file, see
        `uhcs_bench.segmentation.models.load`.
    model_sha256 : str or None
        Of that model.
    model_threads : int
        That it computes on; 0 takes all cores.
    crop_bottom : str
        Rows that are cut off at the bottom, ``"auto"`` to cut off the data bar of a micrograph
        where there is one, ``"none"``.
    min_diameter : str or None
        Of the smallest particle that counts, such as ``"0.2um"`` or ``"5px"``.
    page : int or None
        Which image is meant where files hold several, from 1 on.
    """

    task: protocol.TaskName
    pixel_size_um: float | None = None
    model: str | None = None
    model_sha256: str | None = None
    model_threads: int = 0
    crop_bottom: str = "auto"
    min_diameter: str | None = None
    page: int | None = None


@dataclass(frozen=True)
class Job:
    """A file to measure.

    Attributes
    ----------
    index : int
        Its place among the inputs.
    path : str
        Absolute, so that workers elsewhere find it.
    file : str
        As the user named it.
    options : Options
    kinds : tuple of str
        Which files to send back, see `KINDS`.
    with_particles : bool
        Whether to send back a table of particles.
    """

    index: int
    path: str
    file: str
    options: Options
    kinds: tuple[Kind, ...] = ()
    with_particles: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes
    ----------
    row : dict
        See `uhcs_bench.measuring.columns.columns`; empty if there is an error.
    particles : bytes or None
        Their table as an NPY file.
    files : mapping of str to dict of str to bytes
        Content by ending, for each kind.
    content : str
        `uhcs_bench.measuring.identity.of_file` of what was measured.
    warnings : tuple of str
        What is odd about the file.
    error : str
        Why it could not be measured, a phrase that follows its name.
    code : str
        `uhcs_bench.io.installed_code.version_and_hash` of who measured it.
    """

    row: Row
    particles: bytes | None = None
    files: Mapping[Kind, Mapping[str, bytes]] = field(default_factory=dict)
    content: str = ""
    warnings: tuple[str, ...] = ()
    error: str = ""
    code: str = ""


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class Measured:
    """A file that was measured, with its pixels.

    Attributes
    ----------
    found : Measurement
    labels : ndarray of uint8, shape (rows, columns)
    counted : ndarray of uint8, shape (rows, columns)
        The same without the particles that are too small to count.
    image : ndarray or None
        The micrograph without its data bar, where the file is one.
    """

    found: Measurement
    labels: NDArray[np.uint8]
    counted: NDArray[np.uint8]
    image: NDArray[np.generic] | None


def do(job: Job) -> Outcome:
    """Do a job; whatever is wrong with the file is in the outcome."""
    code = installed_code.version_and_hash()
    try:
        return _do(job, code)
    except UhcsBenchError as error:
        return Outcome({}, error=str(error), code=code)
    except MemoryError:
        return Outcome({}, error="does not fit into memory", code=code)
    except Exception as error:  # noqa: BLE001 - one bad file never stops the rest
        text = f"can't be measured ({type(error).__name__}: {error})"
        return Outcome({}, error=text, code=code)


def _do(job: Job, code: str) -> Outcome:
    path, options = Path(job.path), job.options
    content = identity.of_file(path)
    warnings: list[str] = []
    labels, image = _pixels(path, options, warnings)
    scale = pixel_size.find(path, (len(labels), labels.shape[1]), options.pixel_size_um)
    if scale.warning:
        warnings.append(scale.warning)
    if image is not None and options.model is not None:
        card = _segmenter(options.model, options.model_sha256, options.model_threads, options.task)
        # A size that no micrograph has is doubted by `scale` already, once for every model.
        um = None if pixel_size.is_doubtful(scale.um) else scale.um
        warnings += card.card.doubts(image, um)
        warnings += _hints(image, options, scale)
    found = measurement.measure(labels, options.task, scale, job.file, options.min_diameter)
    blank = _blank(labels, image, options)
    if blank:
        found.row["warning"] = "; ".join(filter(None, [blank, str(found.row["warning"])]))
    if found.row["warning"]:
        warnings.append(str(found.row["warning"]))
    table = None
    if job.with_particles and found.particles is not None:
        stream = io.BytesIO()
        np.save(stream, found.particles.table, allow_pickle=False)
        table = stream.getvalue()
    counted = labels
    if options.min_diameter is not None:
        smallest = arguments.smallest_area_px(options.min_diameter, scale.um)
        counted = components.drop_small(labels, smallest)[0].astype(np.uint8)
    measured = Measured(found, labels, counted, image)
    files = {kind: KINDS[kind](measured) for kind in job.kinds}
    return Outcome(found.row, table, files, content, tuple(warnings), code=code)


def _blank(labels: NDArray[np.uint8], image: NDArray[np.generic] | None, options: Options) -> str:
    """Say what a file of one value was taken for; empty for others."""
    if not inputs.has_one_value(labels if image is None else image):
        return ""
    if image is not None:
        return (
            "it has one gray level and no contrast, so that its segmentation means nothing; "
            "--model none measures a label map as it is"
        )
    return (
        f"all its pixels are {labels.flat[0]}, so that it was taken for a label map and not "
        f"segmented; --model {options.task} segments a micrograph"
    )


def _hints(image: NDArray[np.generic], options: Options, scale: Scale) -> list[str]:
    """Say what a picture is that a model should not be given, or has been given already."""
    from uhcs_bench.segmentation import models

    map_like = inputs.map_like(image)
    drawn = "" if map_like else data_bar.lettering(image)
    hints = [text for text in (map_like, drawn) if text]
    if options.model in models.NAMES:
        seen = _seen_in_training(options.model)
        # Where no source has the first row of a micrograph, its hash is that of the others.
        same = next(
            (ids[key] for row, ids in seen.items() if (key := pixel_sha256(image[row:])) in ids),
            None,
        )
        if same is not None:
            hints.append(
                f"its pixels are those of {same.id}, which the model {options.model} was trained "
                "on: its measures say nothing of how well the model does on new micrographs"
            )
            if scale.um is None and same.pixel_size.um is not None:
                hints.append(
                    f"the registry has a pixel of {same.pixel_size.um:g} um for {same.id}: "
                    f"--pixel-size {same.pixel_size.um:g} gives its measures in micrometres"
                )
    return hints


@cache
def _seen_in_training(model: str) -> dict[int, dict[str, Entry]]:
    """Give the micrographs that a model of the package was trained on.

    Returns
    -------
    dict of int to dict of str to Entry
        By the first row that is hashed, and the hash of the pixels from there on.
    """
    found: dict[int, dict[str, Entry]] = {}
    for entry in registry.entries(protocol.task(model).name):
        file = entry.files["image"]
        found.setdefault(file.hashed_from_row, {})[file.pixel_sha256] = entry
    return found


def _pixels(
    path: Path, options: Options, warnings: list[str]
) -> tuple[NDArray[np.uint8], NDArray[np.generic] | None]:
    """Read a label map, or a micrograph and segment it; cut the data bar off."""
    bottom = data_bar.parse(options.crop_bottom)
    if options.model is None:
        classes = protocol.TASKS[options.task].classes
        labels = label_maps.read_map(path, classes, options.page)
        # A label map has no lettering; what looks like it is particles.
        labels, bar = data_bar.crop(labels, bottom, path, by_pixels=False)
        image = None
    else:
        from uhcs_bench.segmentation.preprocessing import gray

        model = _segmenter(options.model, options.model_sha256, options.model_threads, options.task)
        image, bar = data_bar.crop(images.read_image(path, page=options.page), bottom, path)
        # A phrase after the file's name tells what is no gray image.
        labels = model.segment(gray(image))
    if bar is not None:
        warnings.append(f"the lowest {bar.rows} rows were left out: {bar.reason}")
    return labels, image


@lru_cache(maxsize=1)
def _segmenter(model: str, sha256: str | None, threads: int, task: str) -> AnySegmenter:
    """Load a model once in each process."""
    from uhcs_bench.segmentation import models

    if sha256 != models.sha256(model):
        raise UhcsBenchError(f"was not measured: {model} is not the model that the run began with")
    return models.load(model, threads, task)


def _plot(measured: Measured) -> dict[str, bytes]:
    from uhcs_bench.measuring.outputs import plots

    return {".png": plots.distribution(measured.found)}


def _map(measured: Measured) -> dict[str, bytes]:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(measured.labels).save(stream, "PNG", optimize=True)
    return {".png": stream.getvalue()}


def _overlay(measured: Measured) -> dict[str, bytes]:
    from uhcs_bench.measuring.outputs import overlays

    if measured.image is None:
        raise UhcsBenchError("is a label map, which has no micrograph to draw outlines on")
    return {".png": overlays.draw(measured.image, measured.counted, measured.found)}


def _rois(measured: Measured) -> dict[str, bytes]:
    from uhcs_bench.measuring.outputs import imagej

    return {
        ".zip": imagej.rois(measured.counted == protocol.PARTICLE_LABEL),
        ".csv": imagej.results(measured.found),
    }


KINDS: dict[Kind, Callable[[Measured], dict[str, bytes]]] = {
    "plots": _plot,
    "maps": _map,
    "overlays": _overlay,
    "rois": _rois,
}
"""Files that are made of each input: content by ending."""

ENDINGS: dict[Kind, tuple[str, ...]] = {
    "plots": (".png",),
    "maps": (".png",),
    "overlays": (".png",),
    "rois": (".zip", ".csv"),
}


def sha256(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
