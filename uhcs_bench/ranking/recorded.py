"""What an entry of a reference method declares, from the record of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from uhcs_bench.scoring.training_record import TrainedModel

_WHOLE = "whole micrographs"
_LONGEST = 100


def declaration(models: Sequence[TrainedModel]) -> dict[str, Any]:
    """Give the values of ``entry.yaml`` that follow from the record of the models.

    Parameters
    ----------
    models : sequence of TrainedModel
        At least one.

    Returns
    -------
    dict
        By key of ``entry.yaml``; a key that the record does not tell is left out.
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
    settings = models[0].run["configuration"]
    stages = settings["stages"]
    return {
        "loss": settings["loss"],
        "updates": [stage["updates"] for stage in stages],
        "learning_rate": [stage["learning_rate"] for stage in stages],
        "learning_rate of the encoder": [stage["features_rate"] for stage in stages],
        "batch": settings["batch"],
        **{
            f"crop of {model.task}": model.run["configuration"]["crop"] or _WHOLE
            for model in models
        },
        "weight_decay": settings["weight_decay"],
        "number format": settings["precision"],
        "test-time averaging": any(model.tta for model in models),
    }


def seeds(models: Sequence[TrainedModel]) -> list[int]:
    """List the seeds of a run's models."""
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
