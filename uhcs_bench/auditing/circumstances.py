"""What the audit measures on one task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.auditing.registration import BUSY_PX, Registration, register
from uhcs_bench.data import splits
from uhcs_bench.formatting import abbreviated
from uhcs_bench.metallography import components

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from uhcs_bench.auditing.overlaps import Overlap
    from uhcs_bench.data.dataset import Dataset
    from uhcs_bench.data.micrograph import Micrograph
    from uhcs_bench.data.registry import HeatTreatment


SMALL_PARTICLE_PX = 5


PIXEL_SIZE_TOLERANCE = 0.02
"""Relative difference of two pixel sizes that reading a micron bar can explain."""


@dataclass(frozen=True)
class SampleSpan:
    """Micrographs that may be of one heat-treated sample, in several folds.

    Attributes
    ----------
    sample : str
        Name of the sample; that of the heat treatment where some of the micrographs have no sample
        on record, which may be of any sample with that treatment.
    folds : tuple of int
    ids : tuple of str
    """

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

    __repr__ = abbreviated

    @property
    def misplaced(self) -> tuple[str, ...]:
        """Micrographs whose label map is shifted or drifting."""
        return tuple(f.id for f in self.registrations if f.is_shifted or f.is_drifting)


def audit_task(dataset: Dataset, overlaps: Sequence[Overlap]) -> TaskAudit:
    """Measure everything that the audit reports of one task."""
    from tqdm import tqdm

    names = dataset.classes
    bar = tqdm(dataset, desc="Registration", unit="micrograph", disable=None, leave=False)
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
            found for micrograph in bar if (found := register(micrograph)) is not None
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
    folds = {m.id: m.fold for m in dataset}
    spans = [
        SampleSpan(
            name_of_sample([m.heat_treatment for m in dataset if m.id in group]),
            tuple(sorted({folds[id_] for id_ in group})),
            tuple(id_ for id_ in dataset.ids if id_ in group),
        )
        for group in splits.groups([m.entry for m in dataset], ())
        if len({folds[id_] for id_ in group}) > 1
    ]
    return tuple(sorted(spans, key=lambda span: (-len(span.folds), span.sample)))


def repeated_rows(labels: NDArray[np.uint8]) -> tuple[int, ...]:
    """Find rows that repeat the row above while their neighbours don't: rows that were put in."""
    changes = np.count_nonzero(labels[1:] != labels[:-1], axis=1)
    around = np.minimum(changes[:-2], changes[2:])
    return tuple((np.flatnonzero((changes[1:-1] == 0) & (around >= BUSY_PX)) + 2).tolist())


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
    areas = components.particle_areas(mask)
    # A frame one pixel wide joins the particles that touch the border, and no others, into one.
    framed = components.particle_areas(np.pad(mask, 1, constant_values=True))
    return ParticleCounts(
        id=micrograph.id,
        n=len(areas),
        n_border=len(areas) - (len(framed) - 1),
        n_one_pixel=int(np.count_nonzero(areas == 1)),
        n_small=int(np.count_nonzero(areas <= SMALL_PARTICLE_PX)),
        n_four_neighbours=len(components.particle_areas(mask, connectivity=4)),
    )


def name_of_sample(treatments: Sequence[HeatTreatment]) -> str:
    """Name a sample, or the heat treatment where no sample is on record."""
    names = {treatment.sample for treatment in treatments}
    first = treatments[0]
    if len(names) == 1 and first.sample is not None:
        return first.sample
    minutes = round(60 * (first.time_h or 0))
    time = f"{minutes} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{first.temperature_c:g} °C for {time}"
