"""Write ``corrections.json`` from the micrographs and label maps themselves.

Run as ``python -m tools.write_corrections > corrections.json`` and move the file into
place. Which label map lies off its micrograph, and by how much, is measured by
`uhcs_bench.auditing.audit`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tools import usage
from uhcs_bench import protocol
from uhcs_bench.auditing import circumstances, registration
from uhcs_bench.data import corrections, dataset, pixels, registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from uhcs_bench.auditing.registration import Registration
    from uhcs_bench.data.micrograph import Micrograph

SCHEMA = "uhcs-bench/corrections/1"


def shifts(micrograph: Micrograph) -> list[tuple[int, int]]:
    """Measure the shifts that move a label map into place.

    They are in the form that `uhcs_bench.data.corrections.move` takes.

    Rows that were put into the map (see `uhcs_bench.auditing.circumstances.repeated_rows`) are
    taken out before it is measured, since they explain a drift that a line only approximates.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    list of (int, int)
        Empty unless the audit calls the map shifted or drifting.

    Raises
    ------
    ValueError
        If the map is off by columns, which no label map of the deposit is.
    """
    found = registration.register(micrograph)
    if found is None or not (found.is_shifted or found.is_drifting):
        return []
    n_rows = len(micrograph.labels)
    kept = np.delete(np.arange(n_rows), circumstances.repeated_rows(micrograph.labels))
    n_removed = n_rows - len(kept)
    # As if the map went on below its end, so that it keeps its height.
    kept = np.append(kept, np.arange(n_rows, n_rows + n_removed))
    if n_removed:
        shortened = micrograph.labels[kept.clip(max=n_rows - 1)]
        found = registration.register(replace(micrograph, labels=shortened)) or found
    rows = np.arange(n_rows)
    places = rows - _rows_down(found, n_rows)
    # Above the map nothing was taken out.
    sources = np.where(places < 0, places, kept[places.clip(0, n_rows - 1)])
    sources += np.maximum(places - (n_rows - 1), 0)
    down = rows - sources
    starts = np.flatnonzero(np.diff(down, prepend=down[0] + 1))
    return [(int(row), int(down[row])) for row in starts]


def _rows_down(found: Registration, n_rows: int) -> NDArray[np.int64]:
    """Whole rows by which each row has to move, from a registration."""
    if found.best_shift[1] and found.is_shifted:
        raise ValueError(f"the label map of {found.id} is off by columns")
    if found.is_drifting and found.rows is not None and found.drift is not None:
        measured = n_rows - 2 * registration.SHIFT_REACH
        height = (np.arange(n_rows) - registration.SHIFT_REACH + 0.5) / measured - 0.5
        line = found.rows[0] + found.drift[0] * height
        return np.rint(line).astype(np.int64)
    return np.full(n_rows, found.best_shift[0] if found.is_shifted else 0)


def generate() -> dict[str, Any]:
    """Measure the deposit's label maps, fetching what the cache does not have.

    Returns
    -------
    dict
        The content of ``corrections.json``: for each task, by id, the shifts and the hash of the
        corrected map.
    """
    content: dict[str, dict[str, Any]] = {}
    for task in protocol.TASKS:
        content[task] = {}
        for micrograph in dataset.micrographs(registry.entries(task)):
            needed = shifts(micrograph)
            if not needed:
                continue
            moved, _ = corrections.move(micrograph.labels, needed)
            content[task][micrograph.id] = {
                "shifts": needed,
                "pixel_sha256": pixels.pixel_sha256(moved),
            }
    return {
        "schema": SCHEMA,
        "dataset_version": protocol.AUDITED_VERSION,
        "corrections": content,
    }


def as_json(content: dict[str, Any]) -> str:
    """Text of ``corrections.json``, a line for each label map."""
    tasks = []
    for task, by_id in content["corrections"].items():
        lines = ",\n".join(f"   {json.dumps(id_)}: {json.dumps(r)}" for id_, r in by_id.items())
        tasks.append(f'  "{task}": {{\n{lines}\n  }}' if lines else f'  "{task}": {{}}')
    head = "".join(f' "{key}": {json.dumps(content[key])},\n' for key in content if key[0] != "c")
    return f'{{\n{head} "corrections": {{\n' + ",\n".join(tasks) + "\n }\n}\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    usage.parser("write_corrections", __doc__).parse_args(arguments)
    sys.stdout.write(as_json(generate()))


if __name__ == "__main__":
    main()
