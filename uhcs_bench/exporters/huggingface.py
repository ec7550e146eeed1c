"""Export as a folder that Hugging Face's ``datasets.load_dataset`` reads, one Parquet file a fold.

The front matter of the README assigns files to configurations [1]_, and the Parquet files
carry their features, so that nothing has to be run to read them.

References
----------
.. [1] https://huggingface.co/docs/datasets/repository_structure
.. [2] https://huggingface.co/docs/hub/eval-results
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench.errors import MissingPackageError
from uhcs_bench.exporters import card, description
from uhcs_bench.exporters.common import KINDS, Usage, identity, licence, write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from uhcs_bench import protocol
    from uhcs_bench.data.dataset import Dataset
    from uhcs_bench.data.micrograph import Micrograph

_USAGE = """\
```text
<task>/fold_<n>.parquet   the micrographs of a fold
<task>/id2label.json      names of the labels, for transformers
eval.yaml                 the benchmark's tasks, for the Hub (lists only registered frameworks)
```

```python
from datasets import load_dataset

fold = load_dataset("<this folder>", "{example}_fold_2")  # fold["train"], fold["validation"]
everything = load_dataset("<this folder>", "{example}", split="all")
```

A row holds `id`, `fold`, `image` and `label` (gray images; a pixel of `label` is its class),
`classes` (those annotated in it), `pixel_size_um` (null where it is unknown) and `licence` (of
image and label map). Label 0 is a class: don't let an image processor reduce labels."""


def write(folder: Path, sets: Sequence[Dataset]) -> Usage:
    """Write data sets into a folder.

    Raises
    ------
    MissingPackageError
        If pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingPackageError("Writing for Hugging Face datasets", "huggingface") from error
    configurations: list[dict[str, Any]] = []
    for micrographs in sets:
        name = micrographs.task.name
        root = folder / name
        root.mkdir()
        files = []
        for number in range(micrographs.n_folds):
            table = _table([m for m in micrographs if m.fold == number], micrographs.task)
            files.append(f"{name}/fold_{number}.parquet")
            pq.write_table(table, folder / files[-1])
        write_json(root / "id2label.json", dict(enumerate(micrographs.classes)))
        configurations += _configurations(name, files)
    write_text(folder / "eval.yaml", _evaluation(sets))
    usage = _USAGE.format(example=sets[0].task.name)
    return Usage("Hugging Face datasets", usage, _front_matter(sets, configurations))


def _table(micrographs: Sequence[Micrograph], task: protocol.Task) -> pa.Table:
    import pyarrow as pa

    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    text = {"dtype": "string", "_type": "Value"}
    columns: dict[str, tuple[pa.DataType, dict[str, Any], list[Any]]] = {
        "id": (pa.string(), text, [m.id for m in micrographs]),
        "fold": (pa.int8(), {"dtype": "int8", "_type": "Value"}, [m.fold for m in micrographs]),
        "image": (picture, {"_type": "Image"}, [_picture(m.id, m.image) for m in micrographs]),
        "label": (picture, {"_type": "Image"}, [_picture(m.id, m.labels) for m in micrographs]),
        "classes": (
            pa.list_(pa.int64()),
            # "Sequence" is what releases before and after 4.0 of datasets both read.
            {
                "feature": {"names": list(task.classes), "_type": "ClassLabel"},
                "_type": "Sequence",
            },
            [np.unique(m.labels).tolist() for m in micrographs],
        ),
        "pixel_size_um": (
            pa.float64(),
            {"dtype": "float64", "_type": "Value"},
            [m.pixel_size_um for m in micrographs],
        ),
        "licence": (
            pa.struct({"image": pa.string(), "label": pa.string()}),
            {"image": text, "label": text},
            [
                {"image": licence(m.entry, "image"), "label": licence(m.entry, "labels")}
                for m in micrographs
            ],
        ),
    }
    features = {name: feature for name, (_, feature, _) in columns.items()}
    schema = pa.schema(
        {name: kind for name, (kind, _, _) in columns.items()},
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    return pa.table({name: values for name, (_, _, values) in columns.items()}, schema=schema)


def _picture(name: str, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return {"bytes": stream.getvalue(), "path": f"{name}.png"}


def _configurations(name: str, files: Sequence[str]) -> list[dict[str, Any]]:
    """All folds of a task, then each fold with what is trained on; no file is there twice."""
    listed = [
        {
            "config_name": name,
            "data_files": [
                {"split": f"fold_{number}", "path": path} for number, path in enumerate(files)
            ],
        }
    ]
    for number, path in enumerate(files):
        others = [other for other in files if other != path]
        listed.append(
            {
                "config_name": f"{name}_fold_{number}",
                "data_files": [
                    {"split": "train", "path": others},
                    {"split": "validation", "path": path},
                ],
            }
        )
    return listed


def _evaluation(sets: Sequence[Dataset]) -> str:
    """Describe the benchmark in the form of the Hub's ``eval.yaml``: a task for each fold [2]_.

    Name, description, framework, and tasks with id, configuration and split are all fields that
    the Hub documents, in a feature that it calls work in progress.
    """
    # Unverified without an upload: the Hub checks the file when it is pushed, and lists a benchmark
    # only if its framework is in EVALUATION_FRAMEWORKS of huggingface.js and the data set is on the
    # Hub's list. This package is not registered there.
    tasks = [
        {
            "id": f"{micrographs.data_id}-fold-{number}",
            "config": f"{micrographs.task.name}_fold_{number}",
            "split": "validation",
        }
        for micrographs in sets
        for number in range(micrographs.n_folds)
    ]
    fields = {
        "name": description.TITLE,
        "description": f"{description.USES} {description.LIMITS}",
        "evaluation_framework": description.NAME,
    }
    # A JSON value is a YAML value.
    lines = [f"{key}: {json.dumps(value)}" for key, value in fields.items()]
    return "\n".join([*lines, "tasks:", *(f"- {json.dumps(task)}" for task in tasks), ""])


def _front_matter(sets: Sequence[Dataset], configurations: list[dict[str, Any]]) -> str:
    texts = sorted({licence(m.entry, kind) for s in sets for m in s for kind in KINDS})
    fields: dict[str, Any] = {
        "pretty_name": description.TITLE,
        "license": [card.hub_licence(text) for text in texts],
        "task_categories": ["image-segmentation"],
        "size_categories": ["n<1K"],
        "tags": list(description.KEYWORDS),
        "uhcs_bench": [identity(micrographs) for micrographs in sets],
    }
    # A JSON value is a YAML value.
    lines = [f"{key}: {json.dumps(value)}" for key, value in fields.items()]
    lines += ["configs:", *(f"- {json.dumps(configuration)}" for configuration in configurations)]
    return "\n".join(["---", *lines, "---", "", ""])
