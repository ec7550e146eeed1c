"""The command that finishes a run, from what an interrupted one has left in its folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from baselines.configuration import METHODS, configure
from baselines.records import FoldRun
from uhcs_bench import protocol
from uhcs_bench.io.texts import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Settings = dict[str, Any]
    """What decides what a fold gives, as `baselines.runs.Plan.settings` has it."""

_BEGUN_WITH = "Finish it with the command that it was begun with"


def remedy(
    out: Path, method: str, task: str, folds: Sequence[int] = (), *, inner: bool = False
) -> str:
    """Say how folds of a method are finished, with the settings that they were begun with.

    Parameters
    ----------
    out : Path
        Folder of all runs.
    method, task : str
    folds : sequence of int, optional
        Those that are asked for. By default those that were begun, or all if none was.
    inner : bool, optional
        Whether inner folds are asked for, whatever was begun.

    Returns
    -------
    str
        A sentence without its full stop.

    Examples
    --------
    >>> from pathlib import Path
    >>> remedy(Path("runs"), "unet", "particles", [2, 3])
    'Run it with `python -m baselines run unet --task particles --folds 2,3 --out runs`'
    """
    places = [FoldRun(out, method, task, fold) for fold in range(protocol.N_FOLDS)]
    begun = [place for place in places if place.folder.is_dir()]
    numbers = list(folds) or [
        place.fold for place in begun if place.fold is not None and place.read() is None
    ]
    known = _settings(begun, numbers)
    if begun and known is None:
        return _BEGUN_WITH
    if known is None:
        known = _shared(FoldRun(out, method, other, n) for other in protocol.TASKS for n in _FOLDS)
    options = _options(method, task, known | {"inner": inner or known.get("inner", False)})
    if options is None:
        return _BEGUN_WITH
    chosen = ["--folds", ",".join(map(str, numbers))] if numbers else []
    words = ["run", method, "--task", task, *chosen, *options, "--out", str(out)]
    return f"Run it with `python -m baselines {shlex.join(words)}`"


_FOLDS = range(protocol.N_FOLDS)


def _settings(begun: Sequence[FoldRun], first: Sequence[int]) -> Settings | None:
    """Read the settings of folds that were begun, of those named first if they state them."""
    for place in sorted(begun, key=lambda place: place.fold not in first):
        found = _left(place)
        if found is not None:
            return found
    return None


def _shared(places: Iterable[FoldRun]) -> Settings:
    """Read the settings that the tasks of a method share, from whichever states them."""
    for place in places:
        found = _left(place)
        if found is not None:
            return {name: value for name, value in found.items() if name != "configuration"}
    return {}


def _left(place: FoldRun) -> Settings | None:
    """Read the settings in a fold's record, or in the state of its interrupted run."""
    try:
        found = read_json(place.record)
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        if not place.progress.is_file():
            return None
        from baselines.training import progress

        found = progress.settings_of(place.progress)
    if found is None or not isinstance(found.get("configuration"), Mapping):
        return None
    return dict(found)


def _options(method: str, task: str, settings: Settings) -> list[str] | None:
    """Give the options of ``run`` that differ from its defaults; None if options can't say it."""
    options = [
        word
        for option, value, default in (
            ("--split", settings.get("split"), protocol.PAPER_SPLIT),
            ("--train-size", settings.get("train_size"), None),
            ("--dataset-version", settings.get("dataset_version"), protocol.REAL_VERSION),
        )
        if value not in (None, default)
        for word in (option, str(value))
    ]
    if settings.get("inner"):
        options.append("--inner")
    stated = dict(settings.get("configuration", {}))
    if method not in METHODS:
        return options
    usual = configure(method, task).to_dict()
    if "precision" in stated:
        options += ["--precision", str(stated.pop("precision"))]
    for name in [name for name in stated if name in usual and stated[name] != usual[name]]:
        words = _option(name, stated[name], usual[name])
        if words is None:
            return None
        options += words
    return options


def _option(name: str, value: Any, usual: Any) -> list[str] | None:
    """Give the option that changes a setting; None if there is none that does."""
    if name in ("seed", "weights", "crop"):
        return None if value is None else [f"--{name}", str(value)]
    if name in ("fc7", "tta"):
        return [f"--{name}" if value else f"--no-{name}"]
    if name == "stages" and len(value) == len(usual) == 1:
        updates = value[0].get("updates")
        if {**value[0], "updates": None} == {**usual[0], "updates": None}:
            return ["--updates", str(updates)]
    return None
