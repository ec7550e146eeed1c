"""Agreement of repeated annotations, on fields that were annotated twice.

Some micrographs of a task show a field that another one shows too, at another magnification or in
a strip at their edge, and both were annotated. `agreement` scores one label map of such a field
against the other as if it were a prediction. It is the only repeated annotation in the data, and
the only measure of how far two maps of one field may differ although both are annotations.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from statistics import fmean
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import __version__, protocol
from uhcs_bench.auditing import magnifications
from uhcs_bench.metallography import components
from uhcs_bench.metrics import confusion as metrics
from uhcs_bench.metrics import particle_sizes
from uhcs_bench.stats.undefined import none_if_nan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from uhcs_bench.auditing.overlaps import Overlap
    from uhcs_bench.data.dataset import Dataset
    from uhcs_bench.data.micrograph import Micrograph

SCHEMA = "uhcs-bench/agreement/1"

LIMITS = (
    "The fields are few, and are what happens to overlap: no interval is given.",
    "Finer maps are resampled to the coarser pixels: part of the difference is resolution.",
    "Each annotation was made on its own micrograph, with its own contrast and noise.",
    "Label maps off their micrographs agree less; the version audited moves such maps.",
    "Particles were annotated semi-automatically: what both maps missed counts as agreement.",
    "Strips at the edge are small and may hold mostly one class: the means leave them out.",
    "Nothing is on record of who annotated: it may be one annotator or several.",
)
"""What the agreement does not show."""


@dataclass(frozen=True)
class SizeAgreement:
    """Particle sizes of two annotations of one field.

    Attributes
    ----------
    n_a, n_b : int
        Particles.
    ks_statistic, p_value : float or None
        See `uhcs_bench.metrics.particle_sizes.ks_test`; None if a map has no particles.
    consistent : bool
        See `uhcs_bench.metrics.particle_sizes.not_rejected`.
    """

    n_a: int
    n_b: int
    ks_statistic: float | None
    p_value: float | None
    consistent: bool


@dataclass(frozen=True)
class RepeatedField:
    """Agreement of two annotations of one field.

    Attributes
    ----------
    task : str
    a, b : str
        Ids; `b` is the finer micrograph across magnifications, and counts as the prediction.
    scale : float
        Pixel size of `b` in pixels of `a`.
    shape : tuple of int
        Rows and columns, in pixels of `a`.
    AC : float
        Share of the pixels with equal label.
    IU : dict of str to float or None
        Intersection over union, by class; None for a class in neither map.
    mean_IU : float
        Over the classes that are in either map.
    sizes : SizeAgreement or None
        None where single particles aren't annotated.
    """

    task: protocol.TaskName
    a: str
    b: str
    scale: float
    shape: tuple[int, int]
    AC: float
    IU: dict[str, float | None]
    mean_IU: float
    sizes: SizeAgreement | None

    @property
    def is_across_magnifications(self) -> bool:
        """Whether the two annotations were made at different magnifications."""
        return self.scale != 1


@dataclass(frozen=True)
class MeanAgreement:
    """Means over the fields of a task that were annotated at two magnifications.

    Attributes
    ----------
    n : int
        Fields.
    AC, mean_IU : float
    IU : dict of str to float or None
        By class, over the fields that have it.
    n_consistent : int or None
        Fields with consistent particle sizes; None where single particles aren't annotated.
    """

    n: int
    AC: float
    mean_IU: float
    IU: dict[str, float | None]
    n_consistent: int | None


@dataclass(frozen=True)
class Agreement:
    """Agreement on all fields that were annotated twice.

    Attributes
    ----------
    dataset_version : str
    fields : tuple of RepeatedField
        By task; within a task, fields at two magnifications first.
    uhcs_bench : str
        Version of the package.
    schema : str
    """

    dataset_version: str
    fields: tuple[RepeatedField, ...]
    uhcs_bench: str = __version__
    schema: str = SCHEMA

    def of(self, task: str) -> tuple[RepeatedField, ...]:
        """Pick the fields of a task, by its name or alias."""
        name = protocol.task(task).name
        return tuple(field for field in self.fields if field.task == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, with the means and the limits."""
        content = asdict(self)
        means = {
            task: asdict(found)
            for task in protocol.TASKS
            if (found := mean(self.of(task))) is not None
        }
        return {
            "schema": content.pop("schema"),
            **content,
            "means": means,
            "limits": list(LIMITS),
        }

    def to_json(self) -> str:
        """Text of the machine-readable form."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_text(self) -> str:
        """Text for a terminal, at most 80 columns wide: a table by task, and its limits."""
        parts = [f"Agreement of repeated annotations, data set version {self.dataset_version}"]
        parts += [_table(task, self.of(task)) for task in protocol.TASKS if self.of(task)]
        if self.fields:
            parts.append("\n".join(["What this does not show", *map(_item, LIMITS)]))
        else:
            parts.append("No field was annotated twice.")
        return "\n\n".join(parts)


def _item(text: str) -> str:
    return fill(f"- {text}", width=80, subsequent_indent="  ")


def _table(task: str, fields: Sequence[RepeatedField]) -> str:
    """Lay the fields of a task out, a line for each, in percent."""
    from tabulate import tabulate

    classes = tuple(fields[0].IU)
    has_sizes = any(field.sizes for field in fields)
    headers = ["field", "AC", "IU", *(name[:8] for name in classes)]
    rows = [
        [
            f"{field.b} in\n  {field.a}, {_scale(field)}",
            *_percents(field.AC, field.mean_IU, *field.IU.values()),
            *(_size_cells(field.sizes) if has_sizes else ()),
        ]
        for field in fields
    ]
    overall = mean(fields)
    if overall is not None:
        consistent = [f"{overall.n_consistent} of {overall.n}", ""] if has_sizes else []
        cells = _percents(overall.AC, overall.mean_IU, *overall.IU.values())
        rows.append([f"mean, two scales, n = {overall.n}", *cells, *consistent])
    if has_sizes:
        headers += ["KS", "n"]
    alignment = ["left"] + ["right"] * (len(headers) - 1)
    table = tabulate(rows, headers, colalign=alignment, disable_numparse=True)
    units = ["AC and IU in %"]
    if has_sizes:
        units.append(f"KS: distance of particle sizes, p; fields with p >= {protocol.KS_ALPHA:g}")
        units.append("n: particles of either map")
    return "\n".join([fill(f"{task}: {'; '.join(units)}", 80), "", table])


def _scale(field: RepeatedField) -> str:
    return f"scale {field.scale:.3f}" if field.is_across_magnifications else "one scale"


def _percents(*values: float | None) -> list[str]:
    return ["-" if value is None else f"{100 * value:.1f}" for value in values]


def _size_cells(sizes: SizeAgreement | None) -> tuple[str, str]:
    if sizes is None:
        return "-", "-"
    counts = f"{sizes.n_b}\n{sizes.n_a}"
    if sizes.ks_statistic is None or sizes.p_value is None:
        return "-", counts
    return f"{sizes.ks_statistic:.3f}\np {sizes.p_value:.2f}", counts


def agreement(datasets: Iterable[Dataset], overlaps: Iterable[Overlap]) -> Agreement:
    """Compare the two annotations of each field that was annotated twice.

    Parameters
    ----------
    datasets : iterable of Dataset
        One or both tasks, of one version.
    overlaps : iterable of Overlap
        What an audit of them found. Those across tasks are left out, and copies, whose labels are
        all equal: nobody annotated these twice.

    Returns
    -------
    Agreement

    Examples
    --------
    >>> from uhcs_bench import load
    >>> from uhcs_bench.auditing import audit
    >>> particles = load("particles", version="synthetic")
    >>> agreement([particles], audit.audit([particles]).overlaps).fields
    ()
    """
    loaded = tuple(datasets)
    by_id = {(m.task, m.id): m for dataset in loaded for m in dataset}
    fields = [
        _compared(by_id[overlap.tasks[0], overlap.a], by_id[overlap.tasks[1], overlap.b], overlap)
        for overlap in overlaps
        if overlap.equal_labels is not None and overlap.equal_labels < 1
    ]
    order = list(protocol.TASKS)
    fields.sort(key=lambda f: (order.index(f.task), not f.is_across_magnifications, f.a, f.b))
    return Agreement(loaded[0].version if loaded else protocol.REAL_VERSION, tuple(fields))


def mean(fields: Iterable[RepeatedField]) -> MeanAgreement | None:
    """Mean agreement over the fields of one task that were annotated at two magnifications.

    Parameters
    ----------
    fields : iterable of RepeatedField
        Strips at the same magnification are left out.

    Returns
    -------
    MeanAgreement or None
        None without such a field.
    """
    found = [field for field in fields if field.is_across_magnifications]
    if not found:
        return None
    tests = [field.sizes for field in found if field.sizes is not None]
    ious = {name: [field.IU[name] for field in found] for name in found[0].IU}
    return MeanAgreement(
        n=len(found),
        AC=fmean(field.AC for field in found),
        mean_IU=fmean(field.mean_IU for field in found),
        IU={name: _mean_of_known(values) for name, values in ious.items()},
        n_consistent=sum(test.consistent for test in tests) if tests else None,
    )


def _mean_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _compared(a: Micrograph, b: Micrograph, overlap: Overlap) -> RepeatedField:
    task = protocol.task(a.task)
    field = magnifications.shared_field(a, b, overlap)
    confusion = metrics.confusion_matrix(field.labels_a, field.labels_b, len(task.classes))
    ious = metrics.intersection_over_union(confusion)
    return RepeatedField(
        task=task.name,
        a=a.id,
        b=b.id,
        scale=overlap.scale,
        shape=overlap.shape,
        AC=float(metrics.accuracy(confusion)),
        IU={name: none_if_nan(iou) for name, iou in zip(task.classes, ious, strict=True)},
        mean_IU=float(np.nanmean(ious)),
        sizes=_sizes(field) if task.has_particles else None,
    )


def _sizes(field: magnifications.SharedField) -> SizeAgreement:
    areas_a, areas_b = (
        components.particle_areas(labels == protocol.PARTICLE_LABEL)
        for labels in (field.labels_a, field.labels_b)
    )
    statistic, p_value, consistent = particle_sizes.compared_sizes(areas_a, areas_b)
    return SizeAgreement(
        n_a=len(areas_a),
        n_b=len(areas_b),
        ks_statistic=none_if_nan(statistic),
        p_value=none_if_nan(p_value),
        consistent=consistent,
    )
