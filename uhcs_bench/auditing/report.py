"""Show an audit as one self-contained web page, with pictures of what is shown twice.

The page is ``templates/audit.html.jinja``. Each pair of micrographs of one task that show the
same field is laid side by side: the coarser micrograph with the field marked, its crop, the finer
one resampled, both label maps, and where they differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.auditing import magnifications
from uhcs_bench.io.texts import packaged
from uhcs_bench.web import pictures, templates
from uhcs_bench.web.pictures import LegendItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from uhcs_bench.auditing.audit import Audit
    from uhcs_bench.auditing.findings import Finding
    from uhcs_bench.auditing.overlaps import Overlap
    from uhcs_bench.auditing.repeat_annotation import Agreement
    from uhcs_bench.data.dataset import Dataset
    from uhcs_bench.data.micrograph import Micrograph

_FRAME_PX = 3
_DIFFERENT = "#d81b60"
_EQUAL = "#ececec"


@dataclass(frozen=True)
class Pair:
    """What the page shows of two micrographs with a common field; images are data URIs.

    `shape` is that of the whole micrograph, in rows and columns.
    """

    overlap: Overlap
    shape: tuple[int, ...]
    anchor: str
    sentence: str
    whole: str
    crop: str
    resampled: str
    labels_a: str
    labels_b: str
    difference: str
    legend: list[LegendItem]


def write(folder: Path, datasets: Sequence[Dataset], audited: Audit, repeated: Agreement) -> Path:
    """Write the page of an audit.

    Parameters
    ----------
    folder : Path
        Made where needed.
    datasets : sequence of Dataset
        Those that were audited.
    audited : Audit
    repeated : Agreement
        Of the same data sets.

    Returns
    -------
    Path
        ``index.html`` in `folder`. The same input gives the same bytes.
    """
    return templates.write_page(folder, to_html(datasets, audited, repeated))


def to_html(datasets: Sequence[Dataset], audited: Audit, repeated: Agreement) -> str:
    """Lay an audit out as a web page.

    Parameters
    ----------
    datasets, audited, repeated
        See `write`.

    Returns
    -------
    str
        The text of ``index.html``.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> from uhcs_bench.auditing import audit, repeat_annotation
    >>> particles = load("particles", version="synthetic")
    >>> found = audit.audit([particles])
    >>> repeated = repeat_annotation.agreement([particles], found.overlaps)
    >>> "No field is shown twice." in to_html([particles], found, repeated)
    True
    """
    return templates.render(
        "auditing/templates/audit.html.jinja",
        audited=audited,
        pairs=_pairs(datasets, audited),
        sections=_sections(audited.findings),
        agreement=repeated.to_text() if repeated.fields else None,
        **templates.described(audited.dataset_version),
        **templates.inline(packaged("auditing/templates/audit.css")),
    )


def _sections(findings: Iterable[Finding]) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for finding in findings:
        sections.setdefault(finding.heading, []).append(finding.sentence)
    return sections


def _pairs(datasets: Sequence[Dataset], audited: Audit) -> list[Pair]:
    by_id = {(m.task, m.id): m for dataset in datasets for m in dataset}
    sentences = {finding.ids: finding.sentence for finding in audited.findings}
    return [
        _pair(
            by_id[overlap.tasks[0], overlap.a],
            by_id[overlap.tasks[1], overlap.b],
            overlap,
            sentences[overlap.a, overlap.b],
        )
        for overlap in sorted(audited.overlaps, key=lambda o: not o.is_across_magnifications)
        if not overlap.is_across_tasks
    ]


def _pair(a: Micrograph, b: Micrograph, overlap: Overlap, sentence: str) -> Pair:
    field = magnifications.shared_field(a, b, overlap)
    task = protocol.task(a.task)
    differs = (field.labels_a != field.labels_b).astype(np.uint8)
    classes = zip(task.colors, task.classes, strict=True)
    return Pair(
        overlap=overlap,
        shape=a.image.shape,
        anchor=f"{a.task}-{a.id}-{b.id}",
        sentence=sentence,
        whole=pictures.gray(_framed(a.image, overlap)),
        crop=pictures.gray(field.image_a),
        resampled=pictures.gray(field.image_b),
        labels_a=pictures.label_image(field.labels_a, task.colors),
        labels_b=pictures.label_image(field.labels_b, task.colors),
        difference=pictures.label_image(differs, (_EQUAL, _DIFFERENT)),
        legend=[
            *(LegendItem(color, name) for color, name in classes),
            LegendItem(_DIFFERENT, "annotations differ"),
        ],
    )


def _framed(image: NDArray[np.uint8], overlap: Overlap) -> NDArray[np.uint8]:
    """Draw a white frame around the field, with black inside and outside of it."""
    framed = image.copy()
    for inset, gray in ((0, 0), (1, 255), (_FRAME_PX - 1, 255), (_FRAME_PX, 0)):
        (top, bottom), (left, right) = overlap.rows, overlap.columns
        rows = slice(top + inset, bottom - inset)
        columns = slice(left + inset, right - inset)
        framed[[rows.start, rows.stop - 1], columns] = gray
        framed[rows, columns.start] = framed[rows, columns.stop - 1] = gray
    return framed
