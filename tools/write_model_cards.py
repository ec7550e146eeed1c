"""Write the model cards of the documentation from what the models' files say of themselves.

Run as ``python -m tools.write_model_cards > docs/model-cards.md``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

from tools import usage
from uhcs_bench.segmentation import models, onnx_model
from uhcs_bench.segmentation.cards import ABOUT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uhcs_bench.segmentation.onnx_model import Segmenter

_HEAD = """\
# Model cards

<!-- Written by python -m tools.write_model_cards from the metadata of the models' files. -->

The package holds a network for each task. What follows is what their files state of themselves,
under the key `uhcs_bench.about` and in the keys that every model has. [Models](models.md) describes
how they were made.

**Intended use.** Segmentation of secondary-electron micrographs of spheroidised ultrahigh-carbon
steel, etched as those of the data sets, at pixel sizes of the stated range; and a starting point
for comparison. **Not intended** for other materials, etchants, detectors or magnifications: there
the models give label maps all the same. `measure` warns of pixel sizes and gray levels outside of
the ranges below; nothing warns of another material or etchant, and of a wide beam, which costs
most, only [on some micrographs](robustness.md#what-the-models-notice). Check a few label maps
against the micrographs before you use the numbers.

**What the score means.** The models were trained on all micrographs of a task, so that no annotated
one is left to score them on. The score is that of the recipe: six models, each trained on five
folds and scored on the sixth. Micrographs of one heat-treated sample lie in several folds.
[Samples that were not trained on](leaderboard.md#what-a-new-sample-costs) cost 0.8 points of IU on
particles; other steels were not tried. How far measures are off, such as particle sizes or the
denuded zone's width, is a question of its own: the [leaderboard](leaderboard.md#fit-to-measure) has
it for the same recipe, averaged over eight views.
"""


def generate() -> str:
    """Write the page.

    Returns
    -------
    str
        Markdown.
    """
    return "\n".join(
        [_HEAD, *(_card(onnx_model.load(models.find(name), 1)) for name in models.NAMES)]
    )


def statement(model: Segmenter) -> dict[str, Any]:
    """Read what a model's file says of itself under ``uhcs_bench.about``."""
    import onnx

    properties = onnx.load(model.path, load_external_data=False).metadata_props
    found: dict[str, Any] = json.loads(next(p.value for p in properties if p.key == ABOUT_KEY))
    return found


def _card(model: Segmenter) -> str:
    lines = [f"## {model.task}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in _facts(model)]
    return "\n".join([*lines, ""])


def _facts(model: Segmenter) -> Iterator[tuple[str, str]]:
    about, content = statement(model), model.path.read_bytes()
    yield "name", f"`{model.path.stem}`"
    yield "file", f"`{model.path.name}`, {len(content) / 1e6:.2f} MB"
    yield "SHA-256", f"`{hashlib.sha256(content).hexdigest()}`"
    yield "classes", ", ".join(f"{number} {name}" for number, name in enumerate(model.classes))
    yield "input", _input(model)
    yield "method", f"`{about['method']}`, {about['updates']} updates, seed {about['seed']}"
    yield "pretrained encoder", f"`{about['weights']}`"
    yield "trained on", f"{about['micrographs']} micrographs, data id `{about['data_id']}`"
    yield "licence of the training data", about["licence"]
    yield "pixel sizes in training", "{:g} to {:g} um".format(*about["pixel_size_um"])
    for name, (low, high) in (model.card.gray or {}).items():
        yield f"{name.replace('_', ' ')} of the gray levels in training", f"{low:.3g} to {high:.3g}"
    score = about["score"]
    yield "IU", _score(score, "IU")
    yield "accuracy", _score(score, "AC")
    yield "scored by", f"{score['protocol']}; n = {score['n']}, standard errors over micrographs"


def _input(model: Segmenter) -> str:
    steps = model.preprocessing
    return (
        f"gray micrograph of any size, as {steps.channels} planes "
        f"({', '.join(steps.planes or ())}), mirrored to multiples of {steps.multiple} px"
    )


def _score(score: dict[str, Any], name: str) -> str:
    return f"{score[name]['mean']:.1f} ± {score[name]['se']:.1f} %"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    usage.parser("write_model_cards", __doc__).parse_args(arguments)
    sys.stdout.write(generate())


if __name__ == "__main__":
    main()
