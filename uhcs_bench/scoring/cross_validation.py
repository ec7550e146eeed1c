"""Train and predict fold by fold, without the validation labels."""

from __future__ import annotations

import json
import os
import warnings
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import UsageError
from uhcs_bench.io import paths, protection
from uhcs_bench.io.atomic import replacing
from uhcs_bench.io.texts import read_json
from uhcs_bench.scoring import saving
from uhcs_bench.scoring.provenance import CROSS_VALIDATION_NAME
from uhcs_bench.scoring.score import score

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.data.dataset import Dataset
    from uhcs_bench.data.micrograph import Micrograph
    from uhcs_bench.scoring.results import Report

    Predict = Callable[[NDArray[np.uint8]], ArrayLike]

SCHEMA = "uhcs-bench/cross-validation/1"

_IMAGE = "the gray image of a micrograph (ndarray of uint8, (h, w))"


def cross_validate(
    train: Callable[[Dataset], Predict],
    task: str,
    out: str | os.PathLike[str] | None = None,
    split: str = protocol.PAPER_SPLIT,
    version: str = protocol.REAL_VERSION,
) -> Report:
    """Train on each fold's training micrographs, predict its validation micrographs, and score.

    Parameters
    ----------
    train : callable
        Called once for each fold with the `Dataset` to train on. It returns a function that takes
        the gray image of a micrograph (ndarray of uint8, shape (h, w), a copy) and returns its
        label map. That function gets nothing else of a validation micrograph, so that its
        annotation can't be used.
    task : str
        Name or alias of a task.
    out : path
        Required. Folder for the label maps, ``<task>/<id>.png``, and a record of the finished
        folds. The same call, repeated after an interruption, does the folds that are left. Give
        each method, and each change of a method, a folder of its own.
    split : str, optional
        Which micrographs, in which folds.
    version : str, optional
        Data set version.

    Returns
    -------
    Report
        Of all folds. Its `out` is a submission that ``uhcs-bench score`` and ``submit`` take.

    Raises
    ------
    UsageError
        If there is no such task, split or version, `train` is no function or returns none, that
        one fails with an AttributeError or TypeError, or `out` holds folds of other data.
    SubmissionError
        If a predicted map is no label map of its micrograph; the fold is then not finished.
    DataUnavailableError
        If a micrograph could not be had from any source.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> def train(micrographs):
    ...     means = [m.image[m.labels == 1].mean() for m in micrographs]
    ...     threshold = sum(means) / len(means) - 20
    ...     return lambda image: image > threshold
    >>> with TemporaryDirectory() as folder:
    ...     report = cross_validate(train, "particles", folder, version="synthetic")
    >>> report["particles"].n_images
    24
    """
    if not callable(train):
        raise UsageError(
            f"The method can't be {train!r}. Give a function that takes a data set to train on and "
            f"returns a function from {_IMAGE} to its label map."
        )
    if not isinstance(out, str | os.PathLike):
        raise UsageError(
            f"The folder for the label maps can't be {out!r}. Give its path, for example "
            f"cross_validate(train, {task!r}, out='preds/mine'): the maps of finished folds are "
            "kept there, so that an interrupted call can be repeated."
        )
    folder = paths.given(out)
    whole = dataset.load(task, version=version, split=split)
    done = _read_record(folder, whole)
    _warn_of_finished(folder, done)
    for number in range(whole.n_folds):
        fold = whole.fold(number)
        if number in done and all(_map_path(folder, m.id, whole).is_file() for m in fold.val):
            continue
        # Training takes hours: what can't be written is found before.
        protection.check(_record_path(folder, whole), SCHEMA.encode())
        for micrograph in fold.val:
            protection.check(_map_path(folder, micrograph.id, whole))
        predict = train(fold.train)
        if not callable(predict):
            raise UsageError(
                f"Training on fold {number} returned {type(predict).__name__}. Give a function "
                f"from {_IMAGE} to its label map."
            )
        saving.write({m.id: _predicted(predict, m) for m in fold.val}, folder, version)
        done = sorted({*done, number})
        _write_record(folder, whole, done)
    return score(folder, whole.task.name, version=version, split=split)


def _predicted(predict: Predict, micrograph: Micrograph) -> ArrayLike:
    try:
        return predict(micrograph.image.copy())
    except (AttributeError, TypeError) as error:  # as of a function that expects a Micrograph
        raise UsageError(
            f"The function that training returned failed on {micrograph.id} with "
            f"{type(error).__name__}: {str(error).removesuffix('.')}. The fold is not finished. "
            f"The function takes {_IMAGE} alone, and returns its label map."
        ) from error


def _warn_of_finished(folder: Path, done: list[int]) -> None:
    """Say which folds are not trained again, since a changed method would go unnoticed."""
    if done:
        warnings.warn(
            f"{folder} holds the maps of the folds {', '.join(map(str, done))}; they are not "
            "trained again. Choose another folder for another method, or a changed one.",
            stacklevel=3,
        )


def _map_path(folder: Path, name: str, whole: Dataset) -> Path:
    return folder / whole.task.name / f"{name}.png"


def _record_path(folder: Path, whole: Dataset) -> Path:
    return folder / whole.task.name / CROSS_VALIDATION_NAME


def _read_record(folder: Path, whole: Dataset) -> list[int]:
    path = _record_path(folder, whole)
    if not path.is_file():
        return []
    try:
        record: dict[str, Any] = read_json(path)
        data_id, folds = record["data_id"], [int(number) for number in record["folds"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no record of a cross-validation. Delete it, or choose another folder."
        ) from error
    if data_id != whole.data_id:
        raise UsageError(
            f"{path} is of the data {data_id}, not {whole.data_id}. Choose another folder."
        )
    return folds


def _write_record(folder: Path, whole: Dataset, folds: list[int]) -> None:
    record = {"schema": SCHEMA, "data_id": whole.data_id, "folds": folds}
    with replacing(_record_path(folder, whole), mark=SCHEMA.encode()) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
