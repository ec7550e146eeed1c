"""Save a trained model to a file, and load it without running any code from it."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from baselines.configuration import Configuration
from baselines.networks.model import Model, build, placed
from uhcs_bench.errors import UhcsBenchError, in_words
from uhcs_bench.io.atomic import replacing

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "uhcs-bench/checkpoint/2"


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and what is needed to use it.

    Attributes
    ----------
    model : Model
    configuration : Configuration
    task : str
    fold : int or None
        The fold that it has not seen; None if it has seen all.
    classes : tuple of str
        Class names; a class's label is its position.
    """

    model: Model
    configuration: Configuration
    task: str
    fold: int | None
    classes: tuple[str, ...]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    checkpoint : Checkpoint
    """
    content = {
        "schema": SCHEMA,
        "configuration": checkpoint.configuration.to_dict(),
        "task": checkpoint.task,
        "fold": checkpoint.fold,
        "classes": list(checkpoint.classes),
        "state": checkpoint.model.state_dict(),
    }
    content["sha256"] = _sha256(content)
    with replacing(path, mark=b"uhcs-bench/checkpoint/") as partial:
        torch.save(content, partial)


def _sha256(content: dict[str, Any]) -> str:
    """Hash the weights with their names, and everything that says how they are used."""
    said = {name: content[name] for name in ("schema", "configuration", "task", "fold", "classes")}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name, values in content["state"].items():
        array = values.detach().cpu().contiguous()
        digest.update(f"\n{name} {array.dtype} {tuple(array.shape)}\n".encode())
        digest.update(array.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load(path: Path, device: torch.device) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
    device : torch.device
        Where the model goes.

    Returns
    -------
    Checkpoint
        Its model is in evaluation mode.

    Raises
    ------
    UhcsBenchError
        The file isn't there, is no checkpoint of this package, or its weights are altered or not
        finite.
    """
    if not path.is_file():
        raise UhcsBenchError(
            f"There is no checkpoint {path}. Give the path of a checkpoint.pt, which `python -m "
            "baselines run` writes to <out>/folds/<method>/<task>/<fold>/."
        )
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        if content["schema"] != SCHEMA:
            raise ValueError(f"its schema is {content['schema']!r}, not {SCHEMA!r}")
        if content["sha256"] != _sha256(content):
            raise ValueError("its weights or settings are not those that were saved")
        for name, values in content["state"].items():
            if values.is_floating_point() and not values.isfinite().all():
                raise ValueError(f"its weights {name} are not finite")
        configuration = Configuration.from_dict(content["configuration"])
        classes = tuple(content["classes"])
        # The state brings its own weights: there is no need to look for ImageNet's.
        untrained = configuration.changed(weights="none")
        model, _ = build(untrained, len(classes))
        model.load_state_dict(content["state"])
        task = str(content["task"])
        fold = None if content["fold"] is None else int(content["fold"])
    except Exception as error:
        raise UhcsBenchError(
            f"{path} is no checkpoint that `python -m baselines run` wrote, or it is damaged "
            f"({_reason(error)})."
        ) from error
    return Checkpoint(placed(model, device).eval(), configuration, task, fold, classes)


def _reason(error: Exception) -> str:
    """Say in words why a file could not be used."""
    if isinstance(error, pickle.UnpicklingError):
        return "it holds other things than weights"  # PyTorch would advise to trust them
    if isinstance(error, EOFError) or "PytorchStreamReader" in str(error):
        return "it is empty, cut off or no file of PyTorch"
    return in_words(error)[:200]
