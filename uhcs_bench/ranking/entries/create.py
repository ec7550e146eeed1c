"""Make an entry of predicted label maps, and declare what the record of its runs holds."""

from __future__ import annotations

import datetime
import re
import shutil
import unicodedata
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench.data import label_maps
from uhcs_bench.data.pixels import pixel_sha256
from uhcs_bench.errors import SubmissionError, UhcsBenchError, UsageError, in_words, listed
from uhcs_bench.io.atomic import new_folder
from uhcs_bench.ranking.entries import entry_files, strict_yaml
from uhcs_bench.ranking.entries.declaration import (
    FILE_NAME,
    SCHEMA,
    TO_FILL,
    schema,
    text_problems,
    texts,
)
from uhcs_bench.ranking.entries.entry import identical_runs
from uhcs_bench.scoring import provenance, submission, training_record
from uhcs_bench.web import templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from uhcs_bench.scoring.submission import Submission
    from uhcs_bench.scoring.training_record import TrainedModel

_WHOLE = "whole micrographs"
_LONGEST = 100
_ENTERED = "entered"


def create(
    predictions: Sequence[Path],
    name: str,
    out: Path,
    version: str | None = None,
    split: str | None = None,
    *,
    follow_links: bool = False,
) -> tuple[Path, list[str]]:
    """Make an entry of predicted label maps, with an ``entry.yaml`` to be filled in.

    Values from the ``record.json`` of a reference method are filled in, and the record is copied.

    Parameters
    ----------
    predictions : sequence of Path
        A folder of each run of the method, as `uhcs_bench.score` takes it.
    name : str
        Name on the board, from which the folder is named; where they are not the paper's, the
        version and the split are in its name too, so that a method's entries lie side by side.
    out : Path
        Folder of the entries; made where needed.
    version, split : str, optional
        What the maps are for. By default what the records beside them state, or else the paper's.
    follow_links : bool, optional
        As of `uhcs_bench.score`.

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
        If there is such a folder already, two runs have the same maps, `name` can't stand on the
        board or name a folder, or there is no such version or split.
    MissingPackageError
        If PyYAML is not installed.
    """
    version, split = _scope(predictions, version, split)
    folder = out / _slug(name, version, split)
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is there already; choose another --name, or move it away.")
    runs = entry_files.run_folders(predictions)
    submissions, models = _read(runs, version, split, follow_links=follow_links)
    known: dict[str, Any] = {}
    if any(models.values()):
        known = _declared_or_damaged([model for found in models.values() for model in found])
    text = templates.render(
        "ranking/entries/entry.yaml.jinja",
        schema=SCHEMA,
        to_fill=TO_FILL,
        name=name,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=version,
        split=split,
        tasks={f.task.name: len(f.maps) for found in submissions.values() for f in found},
        runs={run: _seeds(found) for run, found in models.items()},
        known=known,
    )
    text += "\n"
    to_fill = [place for place, value in texts(strict_yaml.load(text.encode())) if value == TO_FILL]
    if len(runs) > 1:
        to_fill += [f"runs: seeds of {run}" for run, found in models.items() if not found]
    with new_folder(folder) as unfinished:
        (unfinished / FILE_NAME).write_text(text, encoding="utf-8")
        for run, found in submissions.items():
            record = training_record.find(runs[run]) if models[run] else None
            if record is not None:
                (unfinished / run).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(record, unfinished / run / training_record.FILE_NAME)
            for of_task in found:
                for map_name, labels in of_task.maps.items():
                    path = unfinished / run / of_task.task.name / f"{map_name}.png"
                    label_maps.write_label_map(path, labels)
    return folder, to_fill


def _scope(predictions: Sequence[Path], version: str | None, split: str | None) -> tuple[str, str]:
    """Give the version and split that are asked for, or else those that records state."""
    splits: dict[str, set[str]] = {}
    versions: dict[str, set[str]] = {}
    for path in predictions:
        found = provenance.training_split(path)
        if found is not None and found[0] in protocol.SPLITS:
            splits.setdefault(found[0], set()).add(str(path))
        for model in training_record.read(path):
            versions.setdefault(model.version, set()).add(str(path))
        handed_out = provenance.cross_validated_version(path)
        if handed_out is not None:
            versions.setdefault(handed_out, set()).add(str(path))
    problems = [
        f"The files beside the maps state several {kind} ("
        + "; ".join(f"{name}: {', '.join(sorted(of))}" for name, of in stated.items())
        + "). Make an entry of each."
        for kind, given, stated in (
            ("splits", split, splits),
            ("data set versions", version, versions),
        )
        if given is None and len(stated) > 1
    ]
    if problems:
        raise UsageError(listed("No entry was made", problems))
    known_version = version or next(iter(versions), protocol.REAL_VERSION)
    return known_version, split or next(iter(splits), protocol.PAPER_SPLIT)


def _read(
    runs: Mapping[str, Path], version: str, split: str, *, follow_links: bool
) -> tuple[dict[str, tuple[Submission, ...]], dict[str, tuple[TrainedModel, ...]]]:
    """Read label maps and records of runs, and make sure that they can stand in one entry."""
    submissions = {}
    for run, path in runs.items():
        try:
            submissions[run] = submission.read_submission(
                path, version=version, split=split, follow_links=follow_links
            )
        except SubmissionError as error:
            raise SubmissionError(error.where, error.problems, _ENTERED) from error
    _check_runs_differ(runs, submissions)
    models = {run: training_record.read(path) for run, path in runs.items()}
    for run, path in runs.items():
        problems = training_record.contradictions(models[run], version, split)
        handed_out = provenance.cross_validated_version(path)
        if handed_out not in (None, version):
            problems.append(
                f"{provenance.CROSS_VALIDATION_NAME}: the method was given micrographs of the data "
                f"set version {handed_out}, not {version}. Say --dataset-version {handed_out}."
            )
        if problems:
            raise SubmissionError(str(path), problems, _ENTERED)
    problems = training_record.other_settings({str(runs[run]): models[run] for run in models})
    if problems:
        raise SubmissionError("The entry", problems, "made")
    return submissions, models


def _check_runs_differ(
    paths: Mapping[str, Path], submissions: Mapping[str, Sequence[submission.Submission]]
) -> None:
    """Refuse folders that hold the same label maps."""
    if len(paths) == 1:
        return
    hashes: dict[str, dict[str, str]] = {}
    for run, found in submissions.items():
        for of_task in found:
            maps = {name: pixel_sha256(labels) for name, labels in of_task.maps.items()}
            hashes.setdefault(of_task.task.name, {})[run] = str(sorted(maps.items()))
    problems = [
        f"{' and '.join(str(paths[run]) for run in same)} have the same label maps of {task}."
        for task, by_run in hashes.items()
        for same in identical_runs(by_run)
    ]
    if problems:
        text = listed("No entry was made", problems)
        raise UsageError(f"{text}\nRuns of a method differ by their seeds; name each run once.")


def _slug(name: str, version: str, split: str) -> str:
    """Name an entry's folder after a method and what it was run on.

    Raises
    ------
    UsageError
        If the name can't stand on the board or name a folder.
    """
    if not name.strip():
        raise UsageError("The name is empty. Give the name that the method has on the board.")
    wrong = [problem.removeprefix(": ") for problem in text_problems(name)]
    longest = schema()["properties"]["name"]["maxLength"]
    if len(name) > longest:
        wrong.append(f"is longer than {longest} characters")
    if wrong:
        raise UsageError(f"The name {_quoted(name)} {' and '.join(wrong)}.")
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    if not slug:
        raise UsageError(f"No folder can be named after {_quoted(name)}; use some of a-z and 0-9.")
    scope = (version, split)
    usual = (protocol.REAL_VERSION, protocol.PAPER_SPLIT)
    others = [part for part, known in zip(scope, usual, strict=True) if part != known]
    return "-".join([slug, *others])


def _quoted(name: str) -> str:
    """Quote a name; letters beyond ASCII are shown as they are."""
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
    return repr(short) if unicodedata.is_normalized("NFC", short) else ascii(short)


def _declared_or_damaged(models: Sequence[TrainedModel]) -> dict[str, Any]:
    try:
        return declared_of(models)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        name = training_record.FILE_NAME
        raise UhcsBenchError(
            f"{name} beside the maps is damaged ({in_words(error)}), so that it is unknown how the "
            "models were trained. Run the method again, or delete the file and fill entry.yaml in "
            "yourself."
        ) from error


def declared_of(models: Sequence[TrainedModel]) -> dict[str, Any]:
    """Give the values of ``entry.yaml`` that follow from the record of the models.

    Parameters
    ----------
    models : sequence of TrainedModel
        At least one.

    Returns
    -------
    dict
        By key of ``entry.yaml``; a key whose value is not in the record is left out.
    """
    runs = [model.run for model in models]
    sources = sorted({run["weights"] for run in runs if run.get("weights")})
    declared = {
        "training_data": _training_data(models),
        "external_data": [
            {"name": "ImageNet (ILSVRC 2012)", "use": f"Pretrained encoder, weights {source}"}
            for source in sources
        ],
        "hyperparameters": _hyperparameters(models),
        "compute": _compute(models),
    }
    if all("parameters" in run for run in runs):
        declared["parameters"] = max(run["parameters"] for run in runs)
    return declared


def _training_data(models: Sequence[TrainedModel]) -> str:
    counts = sorted({len(model.training) for model in models})
    number = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    sizes = sorted({model.train_size for model in models if model.train_size is not None})
    if sizes:
        return (
            f"Of each fold a fixed subset of {number} training micrographs, augmented; the first "
            "in the order that splits.json has"
        )
    return f"Of each fold the {number} training micrographs, augmented; no state is selected"


def _hyperparameters(models: Sequence[TrainedModel]) -> dict[str, Any]:
    """Give the settings that all tasks have in common, and the others of each task."""
    of_tasks: dict[str, dict[str, Any]] = {}
    for model in models:
        settings = of_tasks.setdefault(model.task, _settings(model))
        number_format = model.run["configuration"]["precision"]
        if number_format not in settings["number format"]:
            settings["number format"].append(number_format)
    for settings in of_tasks.values():
        settings["number format"] = " and ".join(settings["number format"])
    first = next(iter(of_tasks.values()))
    declared: dict[str, Any] = {}
    for name in first:
        if all(found[name] == first[name] for found in of_tasks.values()) and name != "crop":
            declared[name] = first[name]
        else:
            link = "of" if name == "crop" else "for"
            declared |= {f"{name} {link} {task}": found[name] for task, found in of_tasks.items()}
    return declared


def _settings(model: TrainedModel) -> dict[str, Any]:
    settings = model.run["configuration"]
    stages = settings["stages"]
    return {
        "loss": settings["loss"],
        "updates": [stage["updates"] for stage in stages],
        "learning_rate": [stage["learning_rate"] for stage in stages],
        "learning_rate of the encoder": [stage["features_rate"] for stage in stages],
        "batch": settings["batch"],
        "crop": settings["crop"] or _WHOLE,
        "weight_decay": settings["weight_decay"],
        "number format": [settings["precision"]],
        "test-time averaging": model.tta,
    }


def _seeds(models: Sequence[TrainedModel]) -> list[int]:
    return sorted({model.run["seed"] for model in models})


def _compute(models: Sequence[TrainedModel]) -> dict[str, Any]:
    runs = [model.run for model in models]
    described = [run["hardware"] for run in runs]
    names = (found.get("gpu") or found.get("cpu") or found["device"] for found in described)
    counts = {1 if found.get("gpu") else found.get("threads") for found in described}
    compute: dict[str, Any] = {
        "device": _joined(map(str, names))[:_LONGEST],
        "training_hours": round(sum(run["seconds"]["train"] for run in runs) / 3600, 2),
    }
    if len(counts) == 1:
        compute["count"] = counts.pop()
    if all("predict" in run["seconds"] for run in runs):
        seconds = sum(run["seconds"]["predict"] for run in runs)
        n_micrographs = sum(len(model.validation) for model in models)
        compute["inference_seconds"] = float(f"{seconds / n_micrographs:.3g}")
    return compute


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))
