"""The paper's own numbers, as far as anyone has them, in percent.

DeCost, Lei, Francis and Holm, "High throughput quantitative metallography for complex
microstructures using deep learning: a case study in ultrahigh carbon steel", Microscopy and
Microanalysis 25 (2019) 21-29. Nobody can recompute them, since the paper's label maps are not
public; the board shows them as reported. The numbers of Tables 1, 3 and 4 are those of the authors'
draft (github.com/bdecost/uhcs-segment); Table 2 is known only from what the text says of it.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE_URL = "https://doi.org/10.1017/S1431927618015635"
DRAFT_URL = "https://github.com/bdecost/uhcs-segment"
SOURCE = "DeCost, Lei, Francis and Holm (2019); numbers of the authors' draft"

METHOD_NAMES = {
    "otsu": "Otsu's threshold",
    "pixelnet-focal": "PixelNet, focal loss",
    "pixelnet-ce": "PixelNet, cross-entropy",
    "unet": "U-Net",
}

METRICS = ("IU", "precision", "recall")


@dataclass(frozen=True)
class Published:
    """A number of the paper.

    Attributes
    ----------
    mean : float
        Percent.
    spread : float or None
        What stands behind the plus-minus sign, percent.
    is_deviation : bool
        The spread is a standard deviation over micrographs instead of the standard error of the
        mean.
    """

    mean: float
    spread: float | None = None
    is_deviation: bool = False


@dataclass(frozen=True)
class ClassTable:
    """A table of the paper by class.

    Attributes
    ----------
    title : str
    task, method : str
        What to compare it with here.
    cells : dict of str to dict of str to Published
        By class ("overall" for the last row), then by metric; a number that nobody has is left out.
    note : str
    """

    title: str
    task: str
    method: str
    cells: dict[str, dict[str, Published]]
    note: str = ""


def _rows(**rows: tuple[tuple[float, float], ...]) -> dict[str, dict[str, Published]]:
    return {
        name: {metric: Published(*number) for metric, number in zip(METRICS, numbers, strict=True)}
        for name, numbers in rows.items()
    }


CLASS_TABLES = (
    ClassTable(
        title="Table 1. Microconstituents, PixelNet, focal loss",
        task="microconstituents",
        method="pixelnet-focal",
        cells=_rows(
            matrix=((49.1, 3.4), (60.3, 4.4), (72.3, 3.7)),
            network=((72.9, 5.3), (85.5, 4.0), (80.7, 5.9)),
            spheroidite=((85.7, 1.8), (95.1, 1.2), (89.8, 1.7)),
            widmanstatten=((42.7, 2.9), (50.2, 3.6), (73.5, 3.9)),
            overall=((62.6, 2.5), (86.5, 1.6), (86.5, 1.6)),
        ),
    ),
    ClassTable(
        title="Table 2. Microconstituents, PixelNet, cross-entropy",
        task="microconstituents",
        method="pixelnet-ce",
        cells={},
        note="The paper's numbers are not available; its text says only that they are higher, "
        '"including a nearly ten point bump in overall IU", with a lower recall of Widmanstatten.',
    ),
    ClassTable(
        title="Table 3. Particles, PixelNet, focal loss",
        task="particles",
        method="pixelnet-focal",
        cells=_rows(
            matrix=((90.0, 1.0), (95.0, 0.6), (94.5, 1.1)),
            particle=((54.8, 3.4), (74.6, 2.8), (70.3, 4.3)),
            overall=((72.4, 3.1), (91.1, 0.9), (91.1, 0.9)),
        ),
    ),
)

TABLE_4_TITLE = "Table 4. Particles, Otsu's threshold and PixelNet"

TABLE_4: dict[str, dict[str, Published]] = {
    "otsu": {
        "IU matrix": Published(86.2, 7.2, is_deviation=True),
        "IU particle": Published(53.7, 12.1, is_deviation=True),
        "IU mean": Published(69.9, 9.3, is_deviation=True),
        "AC": Published(88.1, 6.1, is_deviation=True),
    },
    "pixelnet-focal": {
        "IU matrix": Published(90.0, 1.0),
        "IU particle": Published(54.8, 3.4),
        "IU mean": Published(72.4, 3.1),
        "AC": Published(91.1, 0.9),
        "KS score": Published(4.2),
    },
}
"""Rows by method, then columns."""

_UNET_NOTE = 'The paper gives no numbers; its text says that U-Net "slightly underperformed".'

TABLES_WITHOUT_NUMBERS = (
    ClassTable(
        title="Particles, PixelNet, cross-entropy",
        task="particles",
        method="pixelnet-ce",
        cells={},
        note="The paper gives no numbers.",
    ),
    ClassTable("Particles, U-Net", "particles", "unet", {}, _UNET_NOTE),
    ClassTable("Microconstituents, U-Net", "microconstituents", "unet", {}, _UNET_NOTE),
)
"""What the paper mentions or leaves out and `reproduce` runs all the same."""


@dataclass(frozen=True)
class Reported:
    """A method's overall numbers on a task, as the paper reports them.

    Attributes
    ----------
    method : str
        Key of `METHOD_NAMES`.
    table : str
        Where the numbers stand, for example ``"Table 4"``.
    IU, AC, ks_score : Published or None
    classes : dict of str to Published
        IU by class.
    """

    method: str
    table: str
    IU: Published | None
    AC: Published | None
    ks_score: Published | None
    classes: dict[str, Published]


def reported(task: str) -> list[Reported]:
    """List what the paper reports on a task; methods without numbers are left out.

    Parameters
    ----------
    task : {"particles", "microconstituents"}

    Returns
    -------
    list of Reported
        For particles the rows of Table 4, for microconstituents the tables by class that have
        numbers.

    Examples
    --------
    >>> [(row.method, row.IU.mean) for row in reported("particles")]
    [('otsu', 69.9), ('pixelnet-focal', 72.4)]
    """
    if task == "particles":
        return [
            Reported(
                method=method,
                table="Table 4",
                IU=cells.get("IU mean"),
                AC=cells.get("AC"),
                ks_score=cells.get("KS score"),
                classes={
                    name: cells[f"IU {name}"]
                    for name in ("matrix", "particle")
                    if f"IU {name}" in cells
                },
            )
            for method, cells in TABLE_4.items()
        ]
    return [
        Reported(
            method=table.method,
            table=table.title.partition(".")[0],
            IU=table.cells["overall"]["IU"],
            # The paper's overall precision and recall are the pixel accuracy.
            AC=table.cells["overall"]["precision"],
            ks_score=None,
            classes={
                name: metrics["IU"] for name, metrics in table.cells.items() if name != "overall"
            },
        )
        for table in CLASS_TABLES
        if table.task == task and table.cells
    ]
