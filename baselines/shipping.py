"""Train a method on all micrographs of a task, and export the model with what a user needs to know.

What the model can do is measured on its six-fold twin: the same recipe, each fold's model scored on
the micrographs that it has not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import uhcs_bench
from baselines import export, runs, unfinished
from uhcs_bench import protocol
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.scoring import training_record

if TYPE_CHECKING:
    from pathlib import Path

    from uhcs_bench.scoring.results import MeanScore
    from uhcs_bench.scoring.training_record import TrainedModel

MAX_BYTES = 4 << 20
"""Largest file that is shipped."""


def ship(plan: runs.Plan, maps: Path, out: Path) -> dict[str, Any]:
    """Train on all micrographs, unless that is done, and write the model as ONNX in float16.

    Parameters
    ----------
    plan : Plan
    maps : Path
        Label maps of the six-fold twin, ``<maps>/<task>/<id>.png``, with its ``record.json``.
    out : Path
        The ONNX file.

    Returns
    -------
    dict
        What the file says of the model, see `describe`.

    Raises
    ------
    UhcsBenchError
        The twin has another configuration, its maps can't be scored, or the file would be larger
        than `MAX_BYTES`.
    """
    # Training takes hours: all that can be wrong is found before.
    _check_twin(plan, maps)
    export.check(out)
    score = _score(plan, maps)
    runs.run(plan, [None])
    about = describe(plan, score)
    export.export(
        plan.fold_run(None).checkpoint,
        out,
        half=True,
        about=about,
        max_bytes=MAX_BYTES,
    )
    return about


def _score(plan: runs.Plan, maps: Path) -> dict[str, Any]:
    """Score the twin: IU and AC in percent, each with its standard error."""
    report = uhcs_bench.score(maps, task=plan.task, version=plan.version)
    paper = report[plan.task].conventions["paper"]
    return {
        "protocol": f"{protocol.N_FOLDS}-fold cross-validation of the recipe, "
        + ("eight views averaged" if _twin(maps, plan.task)[0].tta else "a single view"),
        "n": report[plan.task].n_images,
        "IU": _percent(paper.IU),
        "AC": _percent(paper.AC),
    }


def describe(plan: runs.Plan, score: dict[str, Any]) -> dict[str, Any]:
    """Say what a model was trained on and how well its recipe does.

    Parameters
    ----------
    plan : Plan
        Of a finished training.
    score : dict
        Of the recipe, by cross-validation.

    Returns
    -------
    dict
        Method and training length; data set, its licence and the range of its pixel sizes in
        micrometres; pretrained weights; and the cross-validated score of the recipe, in percent:
        IU and AC, each with its standard error, and the number of micrographs.
    """
    dataset = uhcs_bench.load(plan.task, version=plan.version)
    record = plan.fold_run(None).read() or {}
    return {
        "method": plan.configuration.method,
        "updates": record["updates"],
        "seed": plan.configuration.seed,
        "weights": record["weights"],
        "data_id": dataset.data_id,
        "licence": ", ".join(sorted({micrograph.entry.licence for micrograph in dataset})),
        "micrographs": len(dataset),
        "pixel_size_um": export.pixel_sizes(dataset),
        "score": score,
    }


def _percent(score: MeanScore) -> dict[str, float | None]:
    """Give mean and standard error in percent."""
    return {
        name: None if value is None else round(100 * value, 2)
        for name, value in (("mean", score.mean), ("se", score.se))
    }


def _twin(maps: Path, task: str) -> list[TrainedModel]:
    """Read which models made the twin's maps of a task."""
    found = [model for model in training_record.read(maps) if model.task == task]
    if not found:
        raise UhcsBenchError(
            f"{maps / training_record.FILE_NAME} does not say how the label maps of {task} were "
            "made. Give the folder of maps that `python -m baselines run` or `segment` wrote."
        )
    return found


def _check_twin(plan: runs.Plan, maps: Path) -> None:
    """Make sure that the twin is complete and was trained as the model is."""
    models = _twin(maps, plan.task)
    wanted = plan.configuration.to_dict()
    problems = {
        f"{name}: {model.run['configuration'].get(name)}, here {value}"
        for model in models
        for name, value in wanted.items()
        if name not in ("seed", "tta") and model.run["configuration"].get(name) != value
    }
    problems |= {
        f"trained on {model.train_size} micrographs of each fold"
        for model in models
        if model.train_size is not None
    }
    problems |= set(
        training_record.contradictions(
            models, plan.version, protocol.PAPER_SPLIT, ["--dataset-version"]
        )
    )
    if len({model.fold for model in models}) < protocol.N_FOLDS:
        problems.add(
            "folds are missing, finish them: "
            + unfinished.remedy(maps.parent, plan.configuration.method, plan.task)
        )
    if problems:
        raise UhcsBenchError(
            f"{maps}: its {len({model.fold for model in models})} folds of {plan.task} are no twin "
            f"of this model ({'; '.join(sorted(problems))})."
        )
