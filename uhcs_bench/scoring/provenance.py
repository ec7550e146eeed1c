"""What a declaration beside label maps states about the split that their models were trained on.

A model that was trained on the folds of one split has seen, or lacks, other micrographs than those
of another split. Label maps don't show that, so that it is read from the files that are written
beside the maps: ``entry.yaml`` by `uhcs-bench submit`, ``record.json`` by the baselines, and
``cross_validation.json`` by `uhcs_bench.cross_validate`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench.errors import SubmissionError
from uhcs_bench.io import paths
from uhcs_bench.io.texts import from_json
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENTRY_NAME = "entry.yaml"
RUNS = "runs"
"""Folder in an entry that has a folder of each further run of its method."""

CROSS_VALIDATION_NAME = "cross_validation.json"

_LARGEST_BYTES = 10_000_000
# An entry is plain YAML: a key at the start of a line, and a scalar. Scoring needs no YAML library.
_SPLIT_LINE = re.compile(r"^split:[ \t]*[\"']?([A-Za-z0-9_-]+)[\"']?[ \t]*(?:#.*)?$", re.MULTILINE)


def training_split(folder: Path, task: str | None = None) -> tuple[str, str] | None:
    r"""Read which split the models behind label maps were trained on.

    Parameters
    ----------
    folder : Path
        Of the label maps, or the folder of one task in it.
    task : str, optional
        Task whose models are meant, where a file states the split of each. By default that of the
        folder, or all.

    Returns
    -------
    split, file : str
        Name of the split, or of several, and of the file that states it; None if no file does.

    Raises
    ------
    UhcsBenchError
        If the record of the reference methods is damaged.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     _ = (Path(name) / "entry.yaml").write_text("name: A network\nsplit: grouped\n")
    ...     training_split(Path(name))
    ('grouped', 'entry.yaml')
    """
    for place in _places(folder):
        for name, read in _READERS.items():
            text = _text(place / name)
            split = None if text is None else read(text)
            if split is not None:
                return split, name
    splits = sorted({model.split for model in _models(folder, task)})
    return (" and ".join(splits), training_record.FILE_NAME) if splits else None


def cross_validated_version(folder: Path) -> str | None:
    """Read which data set version `uhcs_bench.cross_validate` handed out for label maps.

    Parameters
    ----------
    folder : Path
        As of `training_split`.

    Returns
    -------
    str or None
        None if it did not make the maps.

    Examples
    --------
    >>> from pathlib import Path
    >>> cross_validated_version(Path("nowhere")) is None
    True
    """
    for place in _places(folder):
        text = _text(place / CROSS_VALIDATION_NAME)
        parts = None if text is None else _parts_of_data_id(text)
        if parts is not None and parts[0] in protocol.VERSIONS:
            return parts[0]
    return None


def _places(folder: Path) -> list[Path]:
    """List the folders in which a declaration about label maps may stand."""
    places = [folder, *(folder / task for task in protocol.TASKS)]
    if folder.name in protocol.TASKS:
        places.append(folder.parent)
    return places + [
        place.parent.parent for place in places if paths.real(place).parent.name == RUNS
    ]


def training_subsets(folder: Path, task: str | None = None) -> tuple[int, ...]:
    """Read the sizes of the fixed subsets that the models behind label maps were trained on.

    Parameters
    ----------
    folder, task
        As of `training_split`.

    Returns
    -------
    tuple of int
        Training micrographs of a fold; empty if no record of the reference methods states subsets.

    Raises
    ------
    UhcsBenchError
        If the record is damaged.

    Examples
    --------
    >>> from pathlib import Path
    >>> training_subsets(Path("nowhere"))
    ()
    """
    return training_record.subsets(_models(folder, task))


def _models(folder: Path, task: str | None) -> list[training_record.TrainedModel]:
    """Read the models that the record of the reference methods has of a task, or of all."""
    if task is None and folder.name in protocol.TASKS:
        task = folder.name
    return [model for model in training_record.read(folder) if task in (None, model.task)]


def check(
    folder: Path, split: protocol.Split, task: str | None = None, *, of_parts: bool = False
) -> str | None:
    """Refuse label maps of models that were trained on another split than they are scored on.

    Parameters
    ----------
    folder : Path
        Of the label maps.
    split : str
        What they are to be scored on.
    task : str, optional
        Task that is to be scored alone.
    of_parts : bool, optional
        Whether the caller can score a task alone, so that this may be advised.

    Returns
    -------
    str or None
        `split` if a declaration beside the maps states it, None if there is none.

    Raises
    ------
    SubmissionError
        If a declaration states another split, or several.
    """
    found = training_split(folder, task)
    if found is None:
        return None
    declared, file = found
    if declared == split:
        return declared
    if declared in protocol.SPLITS:
        problem = (
            f"{file} beside the maps states that the models were trained on the split {declared}, "
            f"not {split}: {difference(declared, split)}. Say "
            f"--split {declared} (split={declared!r} in Python), or hand in the maps of models "
            f"that were trained on {split}"
        )
    elif file == training_record.FILE_NAME:
        problem = _of_several(_models(folder, task), of_parts=of_parts)
    else:
        *others, last = protocol.SPLITS
        problem = (
            f"{file} beside the maps states that the models were trained on the split {declared}, "
            f"which there is not. Mend it: the splits are {', '.join(others)} and {last}"
        )
    raise SubmissionError(str(folder), [problem])


def difference(trained: str, scored: str) -> str:
    """Say why label maps of models of one split don't count for another.

    ``clean`` is the paper's folds less some micrographs; ``grouped`` deals those out anew.

    Examples
    --------
    >>> difference("grouped", "clean")
    'they have seen micrographs that clean keeps for validation'
    """
    if "grouped" in (trained, scored):
        return f"they have seen micrographs that {scored} keeps for validation"
    if scored == "clean":
        return "they have seen micrographs that clean leaves out: these show what it validates on"
    return (
        f"they lack the training micrographs that {trained} leaves out, of which there are no maps"
    )


def _of_several(models: Sequence[training_record.TrainedModel], *, of_parts: bool) -> str:
    """Say that models of several splits made label maps, and what can be done."""
    splits: dict[str, set[str]] = {}
    for model in models:
        splits.setdefault(model.task, set()).add(model.split)
    stated = "; ".join(f"{task}: {' and '.join(sorted(of))}" for task, of in splits.items())
    problem = (
        f"{training_record.FILE_NAME} beside the maps states that the models were trained on the "
        f"folds of several splits ({stated})"
    )
    if of_parts and all(len(of) == 1 for of in splits.values()):
        options = [f"--task {task} --split {next(iter(of))}" for task, of in splits.items()]
        return f"{problem}. Name one task with its split: {' or '.join(options)}"
    return f"{problem}. Run each split into a folder of its own"


def _text(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST_BYTES:
            return path.read_text("utf-8")
        reason = "is no file of text"
    except (OSError, UnicodeError) as error:
        reason = f"can't be read ({type(error).__name__})"
    problem = (
        f"{path.name} beside the maps {reason}, so that it is unknown what the models were trained "
        "on. Mend it, or take it away and state the split yourself"
    )
    raise SubmissionError(str(path.parent), [problem])


def _split_of_entry(text: str) -> str | None:
    found = _SPLIT_LINE.search(text)
    return found[1] if found else None


def _split_of_cross_validation(text: str) -> str | None:
    parts = _parts_of_data_id(text)
    return parts[1] if parts is not None and training_record.is_name(parts[1]) else None


def _parts_of_data_id(text: str) -> tuple[str, str] | None:
    """Take version and split out of the record of a cross-validation."""
    try:
        _, version, split, _ = from_json(text)["data_id"].split("-")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return version, split


_READERS = {ENTRY_NAME: _split_of_entry, CROSS_VALIDATION_NAME: _split_of_cross_validation}
