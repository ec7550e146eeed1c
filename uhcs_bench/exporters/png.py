"""Export as plain pairs of PNG files, with the folds and classes beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench.exporters.common import Usage, write_json, write_pairs, write_text
from uhcs_bench.io.tables import csv_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uhcs_bench.data.dataset import Dataset

_USAGE = """\
```text
<task>/images/<id>.png   micrograph, 8-bit gray
<task>/labels/<id>.png   label map, 8-bit gray, a pixel's value is its class: 0, 1, ...
<task>/folds.csv         id, validation fold, pixel size (empty where it is unknown)
<task>/classes.json      label, name and colour of each class
```

The label maps look black: their values are small."""


def write(folder: Path, sets: Sequence[Dataset]) -> Usage:
    """Write data sets into a folder."""
    for micrographs in sets:
        root = folder / micrographs.task.name
        write_pairs(micrographs, root / "images", root / "labels")
        write_text(root / "folds.csv", _folds_csv(micrographs))
        task = micrographs.task
        write_json(
            root / "classes.json",
            [
                {"label": label, "name": name, "color": color}
                for label, (name, color) in enumerate(zip(task.classes, task.colors, strict=True))
            ],
        )
    return Usage("any tool", _USAGE)


def _folds_csv(micrographs: Dataset) -> str:
    names = ("id", "fold", "pixel_size_um", "dataset_version", "split")
    rows = ((m.id, m.fold, m.pixel_size_um, m.version, micrographs.split) for m in micrographs)
    return csv_text(names, rows)
