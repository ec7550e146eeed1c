"""Entries of the leaderboard for the tests: the synthetic set's annotations, with noise."""

from __future__ import annotations

import copy
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from PIL import Image

import uhcs_bench
from uhcs_bench import protocol

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class NoAliases(yaml.SafeDumper):
    """Write repeated values twice, since entries may have no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        """Whether a value is written out."""
        return True


DECLARATION: dict[str, Any] = {
    "schema": "uhcs-bench/entry/2",
    "name": "A method",
    "summary": "The annotations with noise",
    "authors": [{"name": "Josiah Carberry", "orcid": "0000-0002-1825-0097"}],
    "date": "2026-11-22",
    "licence": "CC0-1.0",
    "links": {"code": "https://example.org/code", "paper": None, "weights": None},
    "dataset_version": "synthetic",
    "split": "paper",
    "tasks": {"particles": {"status": "active", "reason": "All maps are there"}},
    "training_data": "Nothing",
    "external_data": [],
    "hyperparameters": {"share": 0.1, "updates": [125, 125]},
    "selection": [],
    "runs": [{"folder": ".", "seeds": [0]}],
    "compute": {
        "device": "CPU",
        "count": 2,
        "training_hours": 0.5,
        "inference_seconds": None,
        "inference_gb": None,
    },
    "parameters": 12,
    "retrained": None,
    "notes": ["A note"],
}


UNFINISHED = {"particles": {"status": "incomplete", "reason": "Not run yet"}}


@cache
def annotations(task: str = "particles") -> dict[str, NDArray[np.uint8]]:
    """Label maps of the synthetic set."""
    return {m.id: m.labels for m in uhcs_bench.load(task, version="synthetic")}


def noisy(share: float, task: str = "particles", seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Annotations with a share of random pixels."""
    rng = np.random.default_rng(seed)
    n_classes = len(protocol.task(task).classes)
    maps = {}
    for name, labels in annotations(task).items():
        wrong = rng.random(labels.shape) < share
        noise = rng.integers(0, n_classes, labels.shape, dtype=np.uint8)
        maps[name] = np.where(wrong, noise, labels)
    return maps


def declared(**changes: Any) -> dict[str, Any]:
    """Give a valid declaration with some keys changed; None takes a key out."""
    content = copy.deepcopy(DECLARATION) | changes
    return {key: value for key, value in content.items() if key not in changes or value is not None}


def named(name: str, status: str = "active", **changes: Any) -> dict[str, Any]:
    """Give a valid declaration for particles, under a name and with a status."""
    tasks = {"particles": {"status": status, "reason": f"Because of {status}"}}
    return declared(**{"name": name, "tasks": tasks} | changes)


def hostile(text: str, **changes: Any) -> dict[str, Any]:
    """Give a declaration that has a text wherever one can stand."""
    content = {
        "name": text[:60],
        "summary": text,
        "authors": [{"name": text, "orcid": "0000-0002-1825-0097"}],
        "licence": text[:60],
        "training_data": text,
        "external_data": [{"name": text, "use": text}],
        "hyperparameters": {"key": text},
        "selection": [{"task": "particles", "folds": [1], "choice": text}],
        "compute": DECLARATION["compute"] | {"device": text},
        "retrained": {"date": "2026-11-22", "command": text},
        "notes": [text],
        "tasks": {"particles": {"status": "active", "reason": text}},
    }
    return declared(**content | changes)


def write_entry(
    folder: Path,
    maps: dict[str, dict[str, NDArray[np.uint8]]] | None = None,
    content: dict[str, Any] | None = None,
) -> Path:
    """Write an entry: by default a valid one, with the annotations as its maps."""
    folder.mkdir(parents=True)
    text = yaml.dump(
        declared() if content is None else content, Dumper=NoAliases, allow_unicode=True
    )
    (folder / "entry.yaml").write_text(text, encoding="utf-8")
    for task, found in ({"particles": annotations()} if maps is None else maps).items():
        for name, labels in found.items():
            path = folder / task / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(labels).save(path, compress_level=1)
    return folder
