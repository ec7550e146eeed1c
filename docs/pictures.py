"""Pictures of the documentation: of the synthetic set, no real micrograph, and curves of tables."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import uhcs_bench
from baselines.studies import robustness
from uhcs_bench import protocol
from uhcs_bench.measuring import pixel_size, row
from uhcs_bench.measuring.outputs import overlays, plots
from uhcs_bench.segmentation import otsu

FRONT = Path(__file__).parent / "_static" / "front.png"
"""Picture of README and front page, committed; ``python docs/pictures.py`` draws it."""

RESULTS = Path(__file__).parent / "results"
"""Tables that commands of the baselines wrote on the real micrographs."""

DPI = 100


def write(folder: Path) -> None:
    """Write annotations, errors, size distributions and plots of measures."""
    folder.mkdir(exist_ok=True)
    for task in protocol.TASKS:
        shown = micrograph(task)
        shown.show().savefig(folder / f"{task}.png", dpi=DPI)
        scale = pixel_size.find(Path(shown.id), shown.labels.shape, shown.pixel_size_um)
        found = row.measure(shown.labels, task, scale, shown.id)
        (folder / f"measure-{task}.png").write_bytes(plots.distribution(found))
        (folder / f"overlay-{task}.png").write_bytes(
            overlays.draw(shown.image, shown.labels, found)
        )
    shown = micrograph("particles")
    predicted = otsu.segment(shown.image, "particles")
    shown.show(predicted).savefig(folder / "errors.png", dpi=DPI)
    maps = {"annotated": shown.labels, "Otsu's threshold": predicted}
    uhcs_bench.plot.sizes(maps, shown.pixel_size_um).savefig(folder / "sizes.png", dpi=DPI)
    for table in RESULTS.glob("robustness-*.csv"):
        rows = robustness.read_table(table)
        title = table.stem.removeprefix("robustness-")
        robustness.draw(rows, title).savefig(folder / f"{table.stem}.png", dpi=DPI)


def write_front(path: Path = FRONT) -> None:
    """Write the front picture: a micrograph of four constituents beside its annotation."""
    micrograph("microconstituents").show().savefig(path, dpi=DPI)


def micrograph(task: str) -> uhcs_bench.Micrograph:
    """Return the first micrograph of the synthetic set."""
    return uhcs_bench.load(task, version="synthetic")[0]


if __name__ == "__main__":
    write_front()
