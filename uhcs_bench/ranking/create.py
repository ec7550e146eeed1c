"""Make an entry of predicted label maps."""

from __future__ import annotations

import datetime
import re
import shutil
import unicodedata
from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench.data import label_maps
from uhcs_bench.errors import SubmissionError, UsageError
from uhcs_bench.io.atomic import new_folder
from uhcs_bench.ranking import recorded, strict_yaml
from uhcs_bench.ranking.declaration import (
    FILE_NAME,
    SCHEMA,
    TO_FILL,
    schema,
    shown,
    text_problems,
    texts,
)
from uhcs_bench.scoring import submission, training_record
from uhcs_bench.web import templates

if TYPE_CHECKING:
    from pathlib import Path


def create(
    predictions: Path,
    name: str,
    out: Path,
    version: str = protocol.REAL_VERSION,
    split: str = protocol.PAPER_SPLIT,
) -> tuple[Path, list[str]]:
    """Make an entry of predicted label maps, with an ``entry.yaml`` to be filled in.

    What the ``record.json`` of a reference method says is filled in, and the record goes with it.

    Parameters
    ----------
    predictions : Path
        A folder as `uhcs_bench.score` takes it.
    name : str
        Name on the board, from which the folder is named.
    out : Path
        Folder of the entries; made where needed.
    version, split : str, optional
        What the maps are for.

    Returns
    -------
    folder : Path
        The new entry, written atomically.
    to_fill : list of str
        The keys of ``entry.yaml`` that only its authors can fill in.

    Raises
    ------
    SubmissionError
        If anything is wrong with the maps, or the models that made them were trained on other
        folds.
    UsageError
        If there is such a folder already, `name` can't stand on the board or name a folder, or
        there is no such version or split.
    MissingPackageError
        If PyYAML is not installed.
    """
    wrong = [problem.removeprefix(": ") for problem in text_problems(name)]
    longest = schema()["properties"]["name"]["maxLength"]
    if len(name) > longest:
        wrong.append(f"is longer than {longest} characters")
    if wrong:
        raise UsageError(f"The name {shown(name)} {' and '.join(wrong)}.")
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    if not slug:
        raise UsageError(f"No folder can be named after {shown(name)}; use some of a-z and 0-9.")
    folder = out / slug
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is there already; choose another --name, or move it away.")
    submissions = submission.read_submission(predictions, version=version, split=split)
    models = training_record.read(predictions)
    problems = training_record.contradictions(models, version, split)
    if problems:
        raise SubmissionError(str(predictions), problems)
    text = templates.render(
        "ranking/entry.yaml.jinja",
        schema=SCHEMA,
        to_fill=TO_FILL,
        name=name,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=version,
        split=split,
        tasks={found.task.name: len(found.maps) for found in submissions},
        known=recorded.declaration(models) if models else {},
    )
    text += "\n"
    to_fill = [place for place, value in texts(strict_yaml.load(text.encode())) if value == TO_FILL]
    with new_folder(folder) as unfinished:
        (unfinished / FILE_NAME).write_text(text, encoding="utf-8")
        record = training_record.find(predictions) if models else None
        if record is not None:
            shutil.copyfile(record, unfinished / training_record.FILE_NAME)
        for found in submissions:
            for map_name, labels in found.maps.items():
                path = unfinished / found.task.name / f"{map_name}.png"
                label_maps.write_label_map(path, labels)
    return folder, to_fill
