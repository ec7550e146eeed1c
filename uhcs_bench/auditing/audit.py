"""What is wrong inside the data, recomputed from them: leaks, misplaced annotations, odd sizes.

Nothing here is a list of known faults. Every finding is measured on the micrographs and label maps
that are audited, so that the same audit serves a corrected version of the data.

Overlaps
    Two micrographs that show the same spot are found wherever they overlap, by cross-correlation of
    their gray levels with the local mean taken off. Crops, copies with lost rows, and neighbouring
    fields of view are all the same case. Spots seen at different magnifications aren't found.
Misplaced label maps
    Where a label map lies right, its borders run along the edges of its micrograph: border pixels
    correlate best with the magnitude of the gray levels' gradient. How the correlation changes when
    the map is moved tells its shift; in horizontal strips it also tells maps that are stretched.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from uhcs_bench import protocol
from uhcs_bench._version import __version__
from uhcs_bench.errors import UsageError
from uhcs_bench.metrics import confusion as metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from uhcs_bench.data.dataset import Dataset, Micrograph

SCHEMA = "uhcs-bench/audit/1"

SHIFT_REACH = 5
"""Rows and columns up to which a label map is moved to and fro."""

N_STRIPS = 8
"""Horizontal strips in which shifts are measured apart."""

TOLERANCE_PX: dict[protocol.TaskName, float] = {"particles": 0.5, "microconstituents": 3.0}
"""Shift or drift that isn't reported. Particles were marked pixel by pixel. Borders between
microconstituents were drawn by hand, and are bright on one side and dark on the other, as in
relief, which moves the estimate by two rows on a map that lies right."""

STANDARD_ERRORS = 5.0
"""Distance from zero at which a shift or drift is taken for real. Chance makes at most one map in
400 look stretched by that much, by Student's distribution for 8 strips."""

OVERLAP_CORRELATION = 0.5
"""Correlation of two micrographs' gray levels above which they show the same spot."""

PATCH_PX = 7
"""Edge of the square of pixels that counts as one independent gray level: particles make
neighbours alike. Small overlaps have few of them, and need a correlation that is `STANDARD_ERRORS`
away from chance all the same: 35 over the root of their pixels. Unrelated micrographs of version
1.0 reach 27, the least true overlap 131."""

SMALLEST_OVERLAP = 0.04
"""Share of a micrograph below which an overlap isn't looked for: chance alone makes small ones."""

SAME_SPOT = 0.9
"""Share of the smaller micrograph above which an overlap leaves only one effective micrograph."""

SMALL_PARTICLE_PX = 5
PIXEL_SIZE_TOLERANCE = 0.02
"""Relative difference of two pixel sizes that reading a micron bar can explain."""

_TIE = "\N{NO-BREAK SPACE}"
_COARSE_ROWS = 96
"""Rows that micrographs are reduced to, at least, in the search for overlaps."""
_COARSE_REACH = 2
_CANDIDATE = (8.0, 0.25)
"""Standard deviations of chance, and correlation of the reduced micrographs, at which an overlap is
worth a look at full resolution."""
_STRIP_PX = 8
"""Rows of a strip, and columns of a map, below which shifts can't be measured."""
_BUSY_PX = 20
"""Pixels that change from row to row on either side of a repeated row that is no accident."""

Kind = Literal[
    "duplicate",
    "overlap",
    "shared micrograph",
    "shifted labels",
    "drifting labels",
    "sample in several folds",
    "pixel size conflict",
    "pixel size unknown",
    "border particles",
    "specks",
    "connectivity",
    "absent classes",
    "filled rows",
]

_HEADINGS: dict[Kind, str] = {
    "duplicate": "Duplicates",
    "overlap": "Overlapping fields of view",
    "shared micrograph": "Micrographs in both tasks",
    "shifted labels": "Shifted label maps",
    "drifting labels": "Stretched label maps",
    "sample in several folds": "Samples in several folds",
    "pixel size conflict": "Conflicting pixel sizes",
    "pixel size unknown": "Unknown pixel sizes",
    "border particles": "Particles that touch the border",
    "specks": "Specks",
    "connectivity": "Connectivity",
    "absent classes": "Absent classes",
    "filled rows": "Filled rows",
}
"""Worst first: leaks falsify any score, misplaced labels some, the rest has to be known."""


@dataclass(frozen=True)
class Overlap:
    """Two micrographs that show the same spot.

    Attributes
    ----------
    a, b : str
        Ids.
    tasks : tuple of str
    folds : tuple of int
    offset : tuple of int
        Row and column of `a` where the first row and column of `b` lies; may be negative.
    shape : tuple of int
        Rows and columns of the overlap.
    share : float
        Of the smaller micrograph's pixels.
    correlation : float
        Of the gray levels in the overlap.
    equal_pixels : float
        Share of the overlap's pixels with equal gray level, filled rows left out.
    equal_labels : float or None
        Share of the overlap's pixels with equal label; None across tasks.
    """

    a: str
    b: str
    tasks: tuple[protocol.TaskName, protocol.TaskName]
    folds: tuple[int, int]
    offset: tuple[int, int]
    shape: tuple[int, int]
    share: float
    correlation: float
    equal_pixels: float
    equal_labels: float | None

    @property
    def is_across_tasks(self) -> bool:
        """Whether the two belong to different tasks."""
        return self.tasks[0] != self.tasks[1]

    @property
    def is_leak(self) -> bool:
        """Whether one is trained on while the other validates."""
        return not self.is_across_tasks and self.folds[0] != self.folds[1]

    @property
    def is_same_spot(self) -> bool:
        """Whether one shows little that the other doesn't."""
        return self.share >= SAME_SPOT


@dataclass(frozen=True)
class Registration:
    """How a label map lies on its micrograph.

    Shifts are those that the label map would need: rows down, columns to the right.

    Attributes
    ----------
    id : str
    correlation : float
        Of the label map's borders and the magnitude of the gray levels' gradient; without shift.
    best_correlation : float
        With the best shift.
    best_shift : tuple of int
        Rows and columns.
    rows, columns : tuple of float, or None
        Shift to fractions of a pixel in the middle of the map, and its standard error over the
        strips; None where too few strips tell.
    drift : tuple of float, or None
        Rows that the shift grows by from the top of the map to its bottom, and standard error;
        None unless all strips tell.
    strips : tuple of float or None
        Shift in rows of each strip, from top to bottom; None where there is no best one in reach.
    gray_correlation : tuple of float, or None
        Correlation of the gray levels and the label map, without and with the best shift; None
        without particles.
    iu_if_moved : float or None
        Particle IU of the label map and itself moved by `best_shift`: what a perfect segmentation
        of the micrograph scores. None without particles.
    is_shifted : bool
        Whether the best shift exceeds `TOLERANCE_PX`, in an axis whose shift is `STANDARD_ERRORS`
        away from 0.
    is_drifting : bool
        The same of the drift.
    """

    id: str
    correlation: float
    best_correlation: float
    best_shift: tuple[int, int]
    rows: tuple[float, float] | None
    columns: tuple[float, float] | None
    drift: tuple[float, float] | None
    strips: tuple[float | None, ...]
    gray_correlation: tuple[float, float] | None
    iu_if_moved: float | None
    is_shifted: bool
    is_drifting: bool


@dataclass(frozen=True)
class SampleSpan:
    """A heat-treated sample whose micrographs are in several folds."""

    sample: str
    folds: tuple[int, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class PixelSizeConflict:
    """A micrograph whose pixel sizes, by source in micrometres, don't agree."""

    id: str
    claims: dict[str, float]
    ratio: float


@dataclass(frozen=True)
class ParticleCounts:
    """Numbers of annotated particles, by the protocol's connectivity.

    Attributes
    ----------
    id : str
    n : int
    n_border : int
        Those with a pixel in an outermost row or column.
    n_one_pixel : int
    n_small : int
        Those of at most 5 pixels.
    n_four_neighbours : int
        Particles if only pixels with a common edge are joined.
    """

    id: str
    n: int
    n_border: int
    n_one_pixel: int
    n_small: int
    n_four_neighbours: int

    @property
    def connectivity_change(self) -> float:
        """Relative growth of the count from 8 to 4 neighbours; 0 without particles."""
        return self.n_four_neighbours / self.n - 1 if self.n else 0.0


@dataclass(frozen=True)
class TaskAudit:
    """What the data of one task are like.

    Attributes
    ----------
    task : str
    n, n_distinct : int
        Micrographs, and those left when all but one of each spot are taken away.
    shares : dict of str to float or None
        Share of all pixels, by class; None without micrographs.
    absent : dict of str to tuple of str
        Classes that a micrograph lacks, by its id.
    registrations : tuple of Registration
        Of each micrograph with at least two classes and enough rows.
    repeated_rows : dict of str to tuple of int
        Rows of a label map that repeat the row above while their neighbours change, by id; those of
        `filled_label_rows` left out.
    samples : tuple of SampleSpan
    n_without_sample : int
        Micrographs whose sample isn't recorded.
    pixel_sizes : tuple of PixelSizeConflict
    n_comparable_pixel_sizes : int
        Micrographs that two sources give a pixel size for.
    pixel_size_unknown : tuple of str
    filled_rows : dict of str to tuple of int
        Rows of the image that repeat a neighbour since their source lacks them, by id.
    filled_label_rows : dict of str to tuple of int
        Rows of the label map that repeat a neighbour since it was moved into place, by id.
    particles : tuple of ParticleCounts
        Of each micrograph; empty if single particles aren't annotated.
    """

    task: protocol.TaskName
    n: int
    n_distinct: int
    shares: dict[str, float | None]
    absent: dict[str, tuple[str, ...]]
    registrations: tuple[Registration, ...]
    repeated_rows: dict[str, tuple[int, ...]]
    samples: tuple[SampleSpan, ...]
    n_without_sample: int
    pixel_sizes: tuple[PixelSizeConflict, ...]
    n_comparable_pixel_sizes: int
    pixel_size_unknown: tuple[str, ...]
    filled_rows: dict[str, tuple[int, ...]]
    filled_label_rows: dict[str, tuple[int, ...]]
    particles: tuple[ParticleCounts, ...]


@dataclass(frozen=True)
class Finding:
    """A finding in words.

    Attributes
    ----------
    kind : str
    ids : tuple of str
        Micrographs concerned.
    sentence : str
        What was found, and what it means for a user.
    """

    kind: Kind
    ids: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Audit:
    """All that an audit found.

    Attributes
    ----------
    dataset_version : str
    tasks : tuple of TaskAudit
    overlaps : tuple of Overlap
        Within and across tasks, largest first.
    findings : tuple of Finding
        The same in words, worst first.
    uhcs_bench : str
        Version of the package.
    schema : str
    """

    dataset_version: str
    tasks: tuple[TaskAudit, ...]
    overlaps: tuple[Overlap, ...]
    findings: tuple[Finding, ...]
    uhcs_bench: str = __version__
    schema: str = SCHEMA

    def __getitem__(self, task: str) -> TaskAudit:
        """Pick a task by its name or alias."""
        return {audited.task: audited for audited in self.tasks}[protocol.task(task).name]

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; None where undefined."""
        content = asdict(self)
        return {"schema": content.pop("schema"), **content}

    def to_json(self) -> str:
        """Text of the machine-readable form."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_text(self) -> str:
        """Text for a terminal, at most 80 columns wide: findings by kind, worst first."""
        lines = [f"Audit of data set version {self.dataset_version}", ""]
        for task in self.tasks:
            shares = ", ".join(
                f"{name} {100 * (share or 0):.1f} %" for name, share in task.shares.items()
            )
            counts = f"{task.n} micrographs, {task.n_distinct} of them distinct"
            lines.append(_filled(f"{task.task}: {counts}; {shares} of the pixels"))
        for kind, heading in _HEADINGS.items():
            found = [finding for finding in self.findings if finding.kind == kind]
            if found:
                lines += ["", heading, *(_filled(f"- {finding.sentence}") for finding in found)]
        if not self.findings:
            lines += ["", "Nothing was found that a user has to know."]
        return "\n".join(lines)


def _filled(text: str) -> str:
    # ids keep their hyphens, and what belongs together its spaces, on one line
    filled = fill(text, width=80, subsequent_indent="  ", break_on_hyphens=False)
    return filled.replace(_TIE, " ")


def audit(datasets: Iterable[Dataset]) -> Audit:
    """Recompute from the data what a user has to know of them.

    Parameters
    ----------
    datasets : iterable of Dataset
        One or both tasks, of one version.

    Returns
    -------
    Audit

    Raises
    ------
    UsageError
        If there is no data set, a task comes twice, or versions differ.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> found = audit([load("particles", version="synthetic")])
    >>> found["particles"].n_distinct, found.overlaps
    (24, ())
    """
    audited = tuple(datasets)
    _check(audited)
    overlaps = find_overlaps([micrograph for dataset in audited for micrograph in dataset])
    tasks = tuple(_audit_task(dataset, overlaps) for dataset in audited)
    findings = [*_overlap_findings(overlaps, tasks)]
    for task in tasks:
        findings += _task_findings(task)
    order = list(_HEADINGS)
    findings.sort(key=lambda finding: order.index(finding.kind))
    return Audit(audited[0].version, tasks, overlaps, tuple(findings))


def _check(datasets: Sequence[Dataset]) -> None:
    if not datasets:
        raise UsageError("There is no data set to audit.")
    names = [dataset.task.name for dataset in datasets]
    if len(set(names)) < len(names):
        raise UsageError(f"A task is named twice: {', '.join(names)}.")
    versions = sorted({dataset.version for dataset in datasets})
    if len(versions) > 1:
        raise UsageError(f"Only one data set version can be audited, not {' and '.join(versions)}.")


def _audit_task(dataset: Dataset, overlaps: Sequence[Overlap]) -> TaskAudit:
    names = dataset.classes
    counts = {m.id: np.bincount(m.labels.ravel(), minlength=len(names)) for m in dataset}
    total = np.sum([*counts.values()], axis=0) if counts else np.zeros(len(names))
    sizes = {m.id: m.pixel_size for m in dataset}
    ratios = {
        id_: max(size.claims.values()) / min(size.claims.values())
        for id_, size in sizes.items()
        if size.claims
    }
    return TaskAudit(
        task=dataset.task.name,
        n=len(dataset),
        n_distinct=_n_distinct(dataset.ids, overlaps),
        shares={
            name: float(count / total.sum()) if total.any() else None
            for name, count in zip(names, total, strict=True)
        },
        absent={
            id_: tuple(names[label] for label in np.flatnonzero(count == 0))
            for id_, count in counts.items()
            if not count.all()
        },
        registrations=tuple(
            found for micrograph in dataset if (found := register(micrograph)) is not None
        ),
        repeated_rows={
            m.id: rows
            for m in dataset
            if (rows := tuple(sorted({*repeated_rows(m.labels)} - {*m.filled_label_rows})))
        },
        samples=_sample_spans(dataset),
        n_without_sample=sum(m.heat_treatment.sample is None for m in dataset),
        pixel_sizes=tuple(
            PixelSizeConflict(id_, dict(sizes[id_].claims), ratio)
            for id_, ratio in ratios.items()
            if ratio > 1 + PIXEL_SIZE_TOLERANCE
        ),
        n_comparable_pixel_sizes=sum(len(size.claims) > 1 for size in sizes.values()),
        pixel_size_unknown=tuple(m.id for m in dataset if m.pixel_size_um is None),
        filled_rows={m.id: m.filled_rows for m in dataset if m.filled_rows},
        filled_label_rows={m.id: m.filled_label_rows for m in dataset if m.filled_label_rows},
        particles=tuple(map(count_particles, dataset)) if dataset.task.has_particles else (),
    )


def _n_distinct(ids: Sequence[str], overlaps: Sequence[Overlap]) -> int:
    spot = {id_: id_ for id_ in ids}
    for overlap in overlaps:
        if overlap.is_same_spot and overlap.a in spot and overlap.b in spot:
            kept, dropped = spot[overlap.a], spot[overlap.b]
            spot = {id_: kept if name == dropped else name for id_, name in spot.items()}
    return len(set(spot.values()))


def _sample_spans(dataset: Dataset) -> tuple[SampleSpan, ...]:
    by_sample: dict[str, list[Micrograph]] = {}
    for micrograph in dataset:
        if micrograph.heat_treatment.sample is not None:
            by_sample.setdefault(micrograph.heat_treatment.sample, []).append(micrograph)
    spans = [
        SampleSpan(name, tuple(sorted({m.fold for m in found})), tuple(m.id for m in found))
        for name, found in by_sample.items()
    ]
    spans.sort(key=lambda span: (-len(span.folds), span.sample))
    return tuple(span for span in spans if len(span.folds) > 1)


def repeated_rows(labels: NDArray[np.uint8]) -> tuple[int, ...]:
    """Find rows that repeat the row above while their neighbours don't: rows that were put in."""
    changes = np.count_nonzero(labels[1:] != labels[:-1], axis=1)
    around = np.minimum(changes[:-2], changes[2:])
    return tuple((np.flatnonzero((changes[1:-1] == 0) & (around >= _BUSY_PX)) + 2).tolist())


def count_particles(micrograph: Micrograph) -> ParticleCounts:
    """Count the annotated particles, and those that a rule for counting might treat otherwise.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> counts = count_particles(load("particles", version="synthetic")[0])
    >>> counts.n == counts.n_four_neighbours  # synthetic particles don't touch
    True
    """
    mask = micrograph.labels == protocol.PARTICLE_LABEL
    areas = metrics.particle_areas(mask)
    # A frame one pixel wide joins the particles that touch the border, and no others, into one.
    framed = metrics.particle_areas(np.pad(mask, 1, constant_values=True))
    return ParticleCounts(
        id=micrograph.id,
        n=len(areas),
        n_border=len(areas) - (len(framed) - 1),
        n_one_pixel=int(np.count_nonzero(areas == 1)),
        n_small=int(np.count_nonzero(areas <= SMALL_PARTICLE_PX)),
        n_four_neighbours=len(metrics.particle_areas(mask, connectivity=4)),
    )


def find_overlaps(micrographs: Sequence[Micrograph]) -> tuple[Overlap, ...]:
    """Find the pairs of micrographs that show the same spot at the same magnification.

    Parameters
    ----------
    micrographs : sequence of Micrograph

    Returns
    -------
    tuple of Overlap
        Largest share first.

    Notes
    -----
    The gray levels, less their local mean, of reduced micrographs are cross-correlated at all
    offsets by Fourier transform. Each sum is divided by its standard deviation under independent
    pixels, the root of the number of overlapping pixels. Pairs that stand out are then compared
    pixel by pixel at full resolution, around the offset found.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> find_overlaps(load("particles", version="synthetic")[:6])
    ()
    """
    if len(micrographs) < 2:
        return ()
    factor = max(1, min(m.image.shape[0] for m in micrographs) // _COARSE_ROWS)
    coarse = [_reduced(m.image, factor) for m in micrographs]
    overlaps = []
    for i, j, offset in _candidates(coarse):
        around = (offset[0] * factor, offset[1] * factor)
        found = _compared(micrographs[i], micrographs[j], around, factor)
        if found is not None:
            overlaps.append(found)
    return tuple(sorted(overlaps, key=lambda overlap: (-overlap.share, overlap.a, overlap.b)))


def _reduced(image: NDArray[np.uint8], factor: int) -> NDArray[np.float32]:
    """Means over squares of `factor` pixels, less their local mean, with unit variance."""
    rows, columns = (length // factor for length in image.shape)
    squares = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    means = squares.mean((1, 3))
    means -= _local_mean(means, _COARSE_REACH)
    # bright spots must not decide alone
    scale = means.std() or 1.0
    clipped: NDArray[np.float32] = np.clip(means / scale, -3, 3).astype(np.float32)
    return clipped


def _local_mean(image: NDArray[np.generic], reach: int) -> NDArray[np.float64]:
    """Mean over the square that reaches so far to each side, as much of it as there is."""
    mean = image.astype(np.float64)
    for axis in (0, 1):
        sums = np.insert(np.cumsum(mean, axis), 0, 0, axis)
        position = np.arange(image.shape[axis])
        stop = np.minimum(position + reach + 1, image.shape[axis])
        start = np.maximum(position - reach, 0)
        mean = sums.take(stop, axis) - sums.take(start, axis)
        mean /= np.expand_dims(stop - start, 1 - axis)
    return mean


def _candidates(
    images: Sequence[NDArray[np.float32]],
) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Pairs that may overlap, each with the offset of the second in the first."""
    from scipy import fft

    longest = [max(image.shape[axis] for image in images) for axis in (0, 1)]
    size = [fft.next_fast_len(2 * length, real=True) for length in longest]
    spectra = [fft.rfft2(image, size) for image in images]
    shapes = {image.shape: fft.rfft2(np.ones_like(image), size) for image in images}
    scales: dict[tuple[tuple[int, ...], tuple[int, ...]], NDArray[np.float32]] = {}
    for i, first in enumerate(images):
        for j in range(i + 1, len(images)):
            pair = (first.shape, images[j].shape)
            if pair not in scales:
                n = np.rint(fft.irfft2(shapes[pair[0]] * shapes[pair[1]].conj(), size))
                is_large = n >= SMALLEST_OVERLAP * min(first.size, images[j].size)
                scales[pair] = np.where(is_large, 1 / np.sqrt(np.maximum(n, 1)), 0)
            scores = fft.irfft2(spectra[i] * spectra[j].conj(), size) * scales[pair]
            best = int(scores.argmax())
            score, scale = scores.ravel()[best], scales[pair].ravel()[best]
            if score >= _CANDIDATE[0] and score * scale >= _CANDIDATE[1]:
                row, column = divmod(best, size[1])
                # Fourier transforms are periodic: the far half are the negative offsets.
                yield (
                    i,
                    j,
                    (
                        row - size[0] * (row >= longest[0]),
                        column - size[1] * (column >= longest[1]),
                    ),
                )


def _compared(a: Micrograph, b: Micrograph, around: tuple[int, int], reach: int) -> Overlap | None:
    """Compare two micrographs pixel by pixel at the offsets near one."""
    moves = [
        (row, column) for row in range(-reach, reach + 1) for column in range(-reach, reach + 1)
    ]
    best: tuple[float, tuple[int, int]] = (0.0, around)
    for move in sorted(moves, key=lambda move: move[0] ** 2 + move[1] ** 2):
        offset = (around[0] + move[0], around[1] + move[1])
        in_a, in_b = _windows(a.image.shape, b.image.shape, offset)
        correlation = _correlation(a.image[in_a], b.image[in_b])
        if correlation > best[0]:
            best = (correlation, offset)
        if correlation > 1 - 1e-3:
            break  # nothing near the right offset is better
    correlation, offset = best
    in_a, in_b = _windows(a.image.shape, b.image.shape, offset)
    equal = a.image[in_a] == b.image[in_b]
    by_chance = STANDARD_ERRORS * PATCH_PX / math.sqrt(max(equal.size, 1))
    if correlation < max(OVERLAP_CORRELATION, by_chance):
        return None
    is_known = np.ones(len(equal), np.bool_)
    for window, micrograph in ((in_a, a), (in_b, b)):
        filled = [row - window[0].start for row in micrograph.filled_rows]
        is_known[[row for row in filled if 0 <= row < len(is_known)]] = False
    return Overlap(
        a=a.id,
        b=b.id,
        tasks=(a.task, b.task),
        folds=(a.fold, b.fold),
        offset=offset,
        shape=(equal.shape[0], equal.shape[1]),
        share=equal.size / min(a.image.size, b.image.size),
        correlation=correlation,
        equal_pixels=float(equal[is_known].mean()),
        equal_labels=(
            float((a.labels[in_a] == b.labels[in_b]).mean()) if a.task == b.task else None
        ),
    )


def _windows(
    shape_a: tuple[int, ...], shape_b: tuple[int, ...], offset: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where two arrays overlap, if the second lies at an offset in the first."""
    spans = []
    for length_a, length_b, start in zip(shape_a, shape_b, offset, strict=True):
        first, stop = max(0, start), max(0, start, min(length_a, start + length_b))
        spans.append((slice(first, stop), slice(first - start, stop - start)))
    rows, columns = spans
    return (rows[0], columns[0]), (rows[1], columns[1])


def _correlation(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Pearson's correlation; 0 for a constant array, which is like no other."""
    if not a.size:
        return 0.0
    deviation_a, deviation_b = (x - x.mean(dtype=np.float64) for x in (a, b))
    # no product of vectors: its threads would fight for the processor with other programs'
    norm = math.sqrt(float(np.square(deviation_a).sum()) * float(np.square(deviation_b).sum()))
    return float((deviation_a * deviation_b).sum()) / norm if norm else 0.0


def register(micrograph: Micrograph) -> Registration | None:
    """Measure how a label map lies on its micrograph.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    Registration or None
        None where it can't be measured: on a map of one class, a constant image, or a tiny one.

    Notes
    -----
    A border pixel is one with a pixel of another class above, below, or beside it. The gradient is
    taken by central differences after a mean over 3 x 3 pixels. Its magnitude doesn't tell bright
    from dark: shading in relief draws it less to one side than it does the gray levels. All shifts
    see the same pixels of the label map, those at least `SHIFT_REACH` from its border.

    Under independent Gaussian noise the most likely shift is the one of the greatest correlation.
    Fractions come from a parabola through the three greatest log-likelihoods of each strip. A line
    through the strips' shifts, weighted by how sharp their maxima are, gives the shift in the
    middle of the map, the drift, and from its residuals both standard errors.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> found = register(load("particles", version="synthetic")[0])
    >>> found.best_shift, found.is_shifted
    ((0, 0), False)
    """
    labels = micrograph.labels
    borders = _borders(labels)
    smallest = _STRIP_PX * N_STRIPS + 2 * SHIFT_REACH
    if min(labels.shape) < smallest or not borders.any():
        return None
    sums = _shifted_sums(_edges(micrograph.image), borders)
    whole = _correlations(_Sums(*(part.sum(0) for part in sums)))
    if whole.max() <= 0:
        return None
    strips = np.maximum(_correlations(sums), 0)
    likelihoods = -sums.n[:, None, None] / 2 * np.log1p(-(strips**2))
    row, column = np.unravel_index(int(whole.argmax()), whole.shape)
    shift = (int(row) - SHIFT_REACH, int(column) - SHIFT_REACH)
    peaks = [_peak(strip) for strip in likelihoods[:, :, column]]
    down = _line(peaks)
    across = _line([_peak(strip) for strip in likelihoods[:, row]])
    drift = down[1] if down is not None and None not in peaks else None
    tolerance = TOLERANCE_PX[micrograph.task]
    has_particles = protocol.task(micrograph.task).has_particles
    return Registration(
        id=micrograph.id,
        correlation=float(whole[SHIFT_REACH, SHIFT_REACH]),
        best_correlation=float(whole[row, column]),
        best_shift=shift,
        rows=down and down[0],
        columns=across and across[0],
        drift=drift,
        strips=tuple(peak and peak[0] for peak in peaks),
        gray_correlation=_gray_correlation(micrograph, shift) if has_particles else None,
        iu_if_moved=_iu_if_moved(labels, shift) if has_particles else None,
        is_shifted=any(
            line is not None and abs(best) > tolerance and _is_real(line[0])
            for best, line in zip(shift, (down, across), strict=True)
        ),
        is_drifting=drift is not None and abs(drift[0]) > tolerance and _is_real(drift),
    )


def _is_real(estimate: tuple[float, float]) -> bool:
    return abs(estimate[0]) >= STANDARD_ERRORS * estimate[1]


def _borders(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    borders = np.zeros(labels.shape, np.bool_)
    below, beside = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    # both sides of a border, so that it lies where the classes meet
    borders[1:] |= below
    borders[:-1] |= below
    borders[:, 1:] |= beside
    borders[:, :-1] |= beside
    return borders


def _edges(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Magnitude of the gray levels' gradient.

    It is rounded, so that all sums are whole numbers, exact, and the same on every machine.
    """
    down, across = np.gradient(_local_mean(image, 1))
    magnitude: NDArray[np.int64] = np.rint(4 * np.hypot(down, across)).astype(np.int64)
    return magnitude


class _Sums(NamedTuple):
    """Sums that correlations are made of, by strip; those over the image for every shift."""

    n: NDArray[np.float64]
    n_borders: NDArray[np.float64]
    at_borders: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]


def _shifted_sums(values: NDArray[np.int64], mask: NDArray[np.bool_]) -> _Sums:
    from scipy import fft

    reach, n_shifts = SHIFT_REACH, 2 * SHIFT_REACH + 1
    n_rows, n_columns = (length - 2 * reach for length in values.shape)
    starts = np.linspace(0, n_rows, N_STRIPS, endpoint=False).astype(np.int64)
    inner = mask[reach:-reach, reach:-reach]

    def box_sums(values: NDArray[np.int64]) -> NDArray[np.float64]:
        cumulated = np.insert(np.cumsum(values, 1), 0, 0, 1)
        by_row = cumulated[:, n_columns:] - cumulated[:, :n_shifts]
        by_strip = [
            np.add.reduceat(by_row[down : down + n_rows], starts) for down in range(n_shifts)
        ]
        return np.stack(by_strip, 1).astype(np.float64)

    # Rows are correlated by Fourier transform, which gives all column shifts at once. The inner
    # part of the map nowhere leaves the image, so that nothing wraps around.
    length = fft.next_fast_len(values.shape[1], real=True)
    spectra = fft.rfft(values.astype(np.float64), length)
    conjugate = fft.rfft(inner.astype(np.float64), length).conj()
    products = [
        np.add.reduceat(spectra[down : down + n_rows] * conjugate, starts)
        for down in range(n_shifts)
    ]
    return _Sums(
        n=np.diff(starts, append=n_rows) * float(n_columns),
        n_borders=np.add.reduceat(inner.sum(1), starts).astype(np.float64),
        at_borders=np.rint(fft.irfft(np.stack(products, 1), length)[..., :n_shifts]),
        total=box_sums(values),
        squares=box_sums(values**2),
    )


def _correlations(sums: _Sums) -> NDArray[np.float64]:
    """Correlation of the image with the borders for every shift; 0 where either is constant."""
    n, n_borders = (x[..., None, None] for x in (sums.n, sums.n_borders))
    covariance = n * sums.at_borders - n_borders * sums.total
    variances = (n * sums.squares - sums.total**2) * (n_borders * (n - n_borders))
    norm = np.sqrt(np.maximum(variances, 0))
    return np.divide(covariance, norm, out=np.zeros_like(covariance), where=norm > 0)


def _peak(likelihoods: NDArray[np.float64]) -> tuple[float, float] | None:
    """Most likely shift and the curvature there; None if the greatest has no lower neighbours."""
    best = int(likelihoods.argmax())
    if not 0 < best < len(likelihoods) - 1:
        return None
    before, at, after = likelihoods[best - 1 : best + 2].tolist()
    curvature = 2 * at - before - after
    if curvature <= 0:
        return None
    return best - SHIFT_REACH + (after - before) / (2 * curvature), curvature


def _line(
    peaks: Sequence[tuple[float, float] | None],
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Value in the middle and rise over the whole height, each with its standard error."""
    known = [(i, *peak) for i, peak in enumerate(peaks) if peak is not None]
    if 2 * len(known) <= len(peaks):
        return None
    strip, shift, weight = np.array(known).T
    height = (strip + 0.5) / len(peaks) - 0.5
    design = np.stack([np.ones_like(height), height], 1)
    inverse = np.linalg.inv(design.T * weight @ design)
    fitted = inverse @ (design.T * weight @ shift)
    residual = shift - design @ fitted
    variance = float(weight @ residual**2) / (len(known) - 2)
    errors = np.sqrt(variance * np.diag(inverse))
    middle, rise = zip(fitted.tolist(), errors.tolist(), strict=True)
    return middle, rise


def _gray_correlation(micrograph: Micrograph, shift: tuple[int, int]) -> tuple[float, float]:
    reach = SHIFT_REACH
    inner = micrograph.labels[reach:-reach, reach:-reach]
    rows, columns = inner.shape
    unmoved, moved = (
        micrograph.image[
            reach + down : reach + down + rows, reach + right : reach + right + columns
        ]
        for down, right in ((0, 0), shift)
    )
    return _correlation(unmoved, inner), _correlation(moved, inner)


def _iu_if_moved(labels: NDArray[np.uint8], shift: tuple[int, int]) -> float:
    here, there = _windows(labels.shape, labels.shape, shift)
    confusion = metrics.confusion_matrix(labels[here], labels[there], n_classes=2)
    return float(metrics.intersection_over_union(confusion)[protocol.PARTICLE_LABEL])


def _overlap_findings(overlaps: Sequence[Overlap], tasks: Sequence[TaskAudit]) -> Iterator[Finding]:
    n = {task.task: (task.n, task.n_distinct) for task in tasks}
    for overlap in overlaps:
        ids = (overlap.a, overlap.b)
        place = _place(overlap)
        if overlap.is_across_tasks:
            (a, b), (task_a, task_b) = ids, overlap.tasks
            yield Finding(
                "shared micrograph",
                ids,
                f"{a} ({task_a}, fold {overlap.folds[0]}) and {b} ({task_b}, fold "
                f"{overlap.folds[1]}) {place}: a model trained on one task has seen a micrograph "
                "of the other; leave it out, or put both into the same fold, before combining "
                "the tasks.",
            )
            continue
        labels = "all labels there agree"
        if overlap.equal_labels is not None and overlap.equal_labels < 1:
            labels = f"{100 * overlap.equal_labels:.1f} % of the labels there agree"
        consequence = "both are in one fold, so that nothing leaks"
        if overlap.is_leak:
            consequence = "training on one and validating on the other is a leak"
        if overlap.is_same_spot:
            total, distinct = n[overlap.tasks[0]]
            consequence += f"; the effective n of {overlap.tasks[0]} is {distinct}, not {total}"
        yield Finding(
            "duplicate" if overlap.is_same_spot else "overlap",
            ids,
            f"{overlap.a} (fold {overlap.folds[0]}) and {overlap.b} (fold {overlap.folds[1]}) "
            f"{place}, and {labels}: {consequence}.",
        )


def _place(overlap: Overlap) -> str:
    rows, columns = overlap.shape
    if overlap.equal_pixels == 1 and overlap.share == 1:
        if overlap.offset == (0, 0):
            return f"hold the same pixels in {rows} rows and {columns} columns"
        return (
            f"hold the same pixels in {rows} rows and {columns} columns, the second at row "
            f"{overlap.offset[0]} and column {overlap.offset[1]} of the first"
        )
    return (
        f"show the same spot in {rows} rows and {columns} columns ({100 * overlap.share:.0f} %, "
        f"correlation {overlap.correlation:.2f})"
    )


def _task_findings(task: TaskAudit) -> Iterator[Finding]:
    yield from _registration_findings(task)
    yield from _circumstance_findings(task)
    if task.particles:
        yield from _particle_findings(task.particles)


def _registration_findings(task: TaskAudit) -> Iterator[Finding]:
    shifts: dict[tuple[int, int], list[Registration]] = {}
    for found in task.registrations:
        if found.is_shifted:
            shifts.setdefault(found.best_shift, []).append(found)
    for shift, group in sorted(shifts.items(), key=lambda item: -math.hypot(*item[0])):
        gains = ", ".join(
            f"{found.id}{_TIE}({found.correlation:.2f}{_TIE}->{_TIE}{found.best_correlation:.2f})"
            for found in sorted(group, key=lambda found: found.id)
        )
        ious = [found.iu_if_moved for found in group if found.iu_if_moved is not None]
        meaning = "scores there reward the same displacement"
        if ious:
            span = f"{min(ious):.2f}"
            if max(ious) - min(ious) >= 0.01:
                span += f" to {max(ious):.2f}"
            meaning = (
                f"a perfect segmentation scores a particle IU of about {span} there (the map "
                "against itself moved)"
            )
        plural = "label maps fit" if len(group) > 1 else "label map fits"
        yield Finding(
            "shifted labels",
            tuple(found.id for found in group),
            f"{len(group)} {_adjective(task)} {plural} best after a move {_in_words(shift)} "
            f"(correlation of borders and edges before and after): {gains}; {meaning}.",
        )
    drifting = sorted((f for f in task.registrations if f.is_drifting), key=lambda f: f.id)
    if drifting:
        drifts = ", ".join(f"{f.id}{_TIE}({_pm(f.drift)})" for f in drifting)
        plural = "maps" if len(drifting) > 1 else "map"
        yield Finding(
            "drifting labels",
            tuple(f.id for f in drifting),
            f"{len(drifting)} {_adjective(task)} label {plural} drift from top to bottom, in rows: "
            f"{drifts}; no single shift puts a stretched map right.",
        )
    for id_, rows in task.repeated_rows.items():
        yield Finding(
            "drifting labels",
            (id_,),
            f"The label map of {id_} repeats the row above in row {_and(rows)}, as a map does that "
            "was stretched by nearest neighbours.",
        )


def _in_words(shift: tuple[int, int]) -> str:
    parts: list[str] = []
    for pixels, unit, ways in (
        (shift[0], "row", ("down", "up")),
        (shift[1], "column", ("right", "left")),
    ):
        if pixels:
            count = f"{abs(pixels)} {unit}{'s' if abs(pixels) > 1 else ''}"
            parts.append(f"{count} {ways[pixels < 0]}")
    return " and ".join(parts)


def _pm(estimate: tuple[float, float] | None) -> str:
    return "" if estimate is None else f"{estimate[0]:+.2f}{_TIE}±{_TIE}{estimate[1]:.2f}"


def _circumstance_findings(task: TaskAudit) -> Iterator[Finding]:
    if task.samples:
        ids = tuple(id_ for span in task.samples for id_ in span.ids)
        spans = ", ".join(
            f"{span.sample.replace(' ', _TIE)} in folds {_and(span.folds)}" for span in task.samples
        )
        unknown = ""
        if task.n_without_sample:
            unknown = f"; the sample of {task.n_without_sample} isn't on record"
        yield Finding(
            "sample in several folds",
            ids,
            f"{len(ids)} of {task.n} {_micrographs(task)} are from samples that several folds "
            f"share: {spans}{unknown}. The folds measure how a method does on samples that it "
            "knows, not on new ones.",
        )
    if task.pixel_sizes:
        largest = max(conflict.ratio for conflict in task.pixel_sizes)
        yield Finding(
            "pixel size conflict",
            tuple(conflict.id for conflict in task.pixel_sizes),
            f"Sources contradict each other on the pixel size of {len(task.pixel_sizes)} of "
            f"{task.n_comparable_pixel_sizes} {_micrographs(task)}, by a factor of "
            f"up to {largest:.1f}: {_listing(conflict.id for conflict in task.pixel_sizes)}; take "
            "sizes in um from pixel_size_um alone.",
        )
    if task.pixel_size_unknown:
        yield Finding(
            "pixel size unknown",
            task.pixel_size_unknown,
            f"No trustworthy source knows the pixel size of {len(task.pixel_size_unknown)} of "
            f"{task.n} {_micrographs(task)}: {_listing(task.pixel_size_unknown)}; they have no "
            "sizes in um.",
        )
    for id_, absent in task.absent.items():
        yield Finding(
            "absent classes",
            (id_,),
            f"{id_} has no {_and(absent, 'or')}: a single pixel predicted as an absent class "
            "counts as IU 0 in the paper's convention.",
        )
    if task.filled_rows:
        rows = sorted({row for filled in task.filled_rows.values() for row in filled})
        yield Finding(
            "filled rows",
            tuple(task.filled_rows),
            f"Row {_and(rows)} of {len(task.filled_rows)} {_micrographs(task)} is lost and "
            f"repeats its neighbour: {_listing(task.filled_rows)}; a prediction there has no gray "
            "level of its own to go by.",
        )
    if task.filled_label_rows:
        counts = [len(filled) for filled in task.filled_label_rows.values()]
        yield Finding(
            "filled rows",
            tuple(task.filled_label_rows),
            f"{len(counts)} {_adjective(task)} label maps were moved into place, so that "
            f"{sum(counts)} of their rows repeat a neighbour, up to {max(counts)} in one: "
            f"{_listing(task.filled_label_rows)}.",
        )


def _adjective(task: TaskAudit) -> str:
    return task.task.removesuffix("s")


def _micrographs(task: TaskAudit) -> str:
    return f"{_adjective(task)} micrographs"


def _listing(ids: Iterable[str]) -> str:
    return ", ".join(sorted(ids))


def _and(items: Iterable[object], word: str = "and") -> str:
    *others, last = map(str, items)
    return f"{', '.join(others)} {word} {last}" if others else last


def _particle_findings(counts: Sequence[ParticleCounts]) -> Iterator[Finding]:
    touching = [c for c in counts if c.n_border]
    if touching:
        most = max(touching, key=lambda c: c.n_border)
        yield Finding(
            "border particles",
            tuple(c.id for c in touching),
            f"{len(touching)} of {len(counts)} particle maps have some, "
            f"{sum(c.n_border for c in touching)} in all, most in {most.id} ({most.n_border}): "
            "their sizes are cut short, and count as they are.",
        )
    specks = [c for c in counts if c.n_small]
    if specks:
        ones = [c.n_one_pixel for c in counts]
        single = f", and {min(ones)} to {max(ones)} of a single pixel" if any(ones) else ""
        worst = max(specks, key=lambda c: c.n_small / c.n)
        yield Finding(
            "specks",
            tuple(c.id for c in specks),
            f"{len(specks)} of {len(counts)} particle maps have particles of {SMALL_PARTICLE_PX} "
            f"pixels or fewer, at worst {worst.n_small} of {worst.n} ({worst.id}){single}: finding "
            "or missing specks can decide the KS score.",
        )
    changed = [c for c in counts if c.connectivity_change]
    if changed:
        most = max(changed, key=lambda c: c.connectivity_change)
        yield Finding(
            "connectivity",
            tuple(c.id for c in changed),
            f"With 4 instead of 8 neighbours {len(changed)} of {len(counts)} particle maps have "
            f"more particles, up to {100 * most.connectivity_change:.0f} % ({most.id}: "
            f"{most.n_four_neighbours} instead of {most.n}): use the protocol's "
            f"{protocol.CONNECTIVITY}.",
        )
