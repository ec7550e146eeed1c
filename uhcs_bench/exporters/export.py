"""Export data sets in one of the formats, with a README and a manifest beside them."""

from __future__ import annotations

import importlib
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench._version import __version__
from uhcs_bench.data import dataset
from uhcs_bench.errors import UsageError
from uhcs_bench.exporters import description
from uhcs_bench.exporters.common import (
    KINDS,
    Usage,
    identity,
    licence,
    write_json,
    write_text,
)
from uhcs_bench.exporters.formats import FORMATS
from uhcs_bench.formatting import abbreviated
from uhcs_bench.io import paths
from uhcs_bench.io.atomic import new_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from uhcs_bench.data.dataset import Dataset
    from uhcs_bench.data.micrograph import Micrograph


SCHEMA = "uhcs-bench/export/1"


README_NAME = "README.md"


MANIFEST_NAME = "uhcs-bench.json"


@dataclass(frozen=True)
class Export:
    """An export that has been written.

    Attributes
    ----------
    folder : Path
    n_micrographs : int
    usage : Usage
    """

    folder: Path
    n_micrographs: int
    usage: Usage

    __repr__ = abbreviated


def export(
    form: str,
    out: str | os.PathLike[str],
    task: str | None = None,
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
) -> Export:
    """Write a data set in another tool's format, fetching what the cache does not have.

    Parameters
    ----------
    form : str
        One of `uhcs_bench.exporters.formats.FORMATS`, such as ``"png"``: pairs of PNG files.
    out : path
        Folder to write, in one step; it must not exist, or be empty.
    task : str, optional
        Name or alias of a task. By default all that the format can express.
    version : str, optional
        Data set version.
    split : str, optional
        Split that the folds are of.

    Returns
    -------
    Export

    Raises
    ------
    UsageError
        If there is no such format, task, version or split, if the format can't express the task,
        or if the folder is not empty.
    MissingPackageError
        If a package is missing that writes the format.
    DataUnavailableError
        If a micrograph could not be had from any source.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     out = Path(folder) / "pairs"
    ...     exported = export("png", out, task="particles", version="synthetic")
    ...     sorted(path.name for path in out.iterdir())
    ['README.md', 'particles', 'uhcs-bench.json']
    """
    if form not in FORMATS:
        raise UsageError(f"There is no format {form!r}. The formats are {', '.join(FORMATS)}.")
    if not isinstance(out, str | os.PathLike):
        raise UsageError(f"The folder can't be {out!r}. Give the path of a new or empty folder.")
    place = paths.given(out)
    writer = importlib.import_module(f"uhcs_bench.exporters.{form}")
    known: Sequence[protocol.TaskName] = getattr(writer, "TASKS", tuple(protocol.TASKS))
    names = known if task is None else (protocol.task(task).name,)
    if not set(names) <= set(known):
        raise UsageError(
            f"The format {form} can't express {names[0]}, only {', '.join(known)}: "
            f"choose another of {', '.join(FORMATS)}."
        )
    with new_folder(place) as folder:
        sets = [dataset.load(name, version=version, split=split) for name in names]
        usage: Usage = writer.write(folder, sets)
        write_text(folder / README_NAME, _readme(usage, sets))
        write_json(folder / MANIFEST_NAME, _manifest(form, sets))
    return Export(place, sum(map(len, sets)), usage)


def _manifest(form: str, sets: Sequence[Dataset]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "uhcs_bench": __version__,
        "format": form,
        "sets": [
            {
                **identity(micrographs),
                "classes": list(micrographs.classes),
                "citation": description.citations(m.entry for m in micrographs),
                "micrographs": [_record(micrograph) for micrograph in micrographs],
            }
            for micrographs in sets
        ],
    }


def _record(micrograph: Micrograph) -> dict[str, Any]:
    entry = micrograph.entry
    return {
        "id": micrograph.id,
        "fold": micrograph.fold,
        "shape": list(entry.shape),
        "pixel_size_um": micrograph.pixel_size_um,
        "filled_rows": list(micrograph.filled_rows),
        "filled_label_rows": list(micrograph.filled_label_rows),
        "licence": {kind: licence(entry, kind) for kind in KINDS},
        "sources": list(micrograph.sources),
    }


def _readme(usage: Usage, sets: Sequence[Dataset]) -> str:
    version, split = sets[0].version, sets[0].split
    what = (
        f"Written by uhcs-bench {__version__}. Data set version `{version}`: "
        f"{protocol.VERSIONS[version]}. Split `{split}`: {protocol.SPLITS[split]}. "
        f"`{MANIFEST_NAME}` holds the same for programs, and fold, pixel size and licence of each "
        "micrograph."
    )
    score = (
        "Train on the other folds, predict the micrographs of a fold, and repeat for all folds. "
        "The micrographs of a fold may not select anything, neither a checkpoint nor a setting. "
        "With one label map for each micrograph, `<id>.png`, in `preds/`:"
    )
    command = f"```sh\nuhcs-bench score preds/{protocol.score_options(version, split)}\n```"
    title = f"{usage.head}# Micrographs of ultrahigh-carbon steel, for {usage.title}"
    parts = [title, what, "## Use", usage.text, "## Score", score, command]
    for micrographs in sets:
        parts += [f"## {micrographs.task.name.capitalize()}", _description(micrographs)]
    return "\n\n".join(parts) + "\n"


def _description(micrographs: Dataset) -> str:
    sizes = sorted({m.entry.shape for m in micrographs})
    shapes = ", ".join(f"{rows} x {columns}" for rows, columns in sizes)
    number = f"{len(micrographs)} micrographs of {shapes} px (rows x columns)"
    classes = ", ".join(f"{label} {name}" for label, name in enumerate(micrographs.classes))
    lines = [f"{number} in {micrographs.n_folds} folds.\n", f"- Labels: {classes}."]
    unknown = [m.id for m in micrographs if m.pixel_size_um is None]
    if unknown:
        lines.append(f"- Pixel size unknown: {', '.join(unknown)}.")
    filled = [m.id for m in micrographs if m.filled_rows]
    if filled:
        lines.append(
            f"- First row lost in every source and filled with the second: {', '.join(filled)}."
        )
    moved = [m.id for m in micrographs if m.filled_label_rows]
    if moved:
        lines.append(
            "- Label map moved into place, the rows left empty filled with their neighbour: "
            f"{', '.join(moved)}."
        )
    for kind in KINDS:
        counts = Counter(licence(m.entry, kind) for m in micrographs)
        texts = [f"{text}, {count} files" for text, count in counts.items()]
        what = "micrographs" if kind == "image" else "label maps"
        lines.append(f"- Licence of the {what}: {'; '.join(texts)}.")
    lines += [f"- Cite: {text}" for text in description.citations(m.entry for m in micrographs)]
    return "\n".join(lines)
