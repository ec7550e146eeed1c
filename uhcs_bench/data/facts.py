"""What is known of a micrograph, in phrases."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uhcs_bench.data.micrograph import Micrograph
    from uhcs_bench.data.registry import HeatTreatment

_COOLING = {
    "Q": "quenched",
    "WQ": "water-quenched",
    "AR": "air-cooled",
    "FC": "furnace-cooled",
}


def facts(micrograph: Micrograph) -> list[str]:
    """List fold, heat treatment, pixel size and filled rows.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    list of str

    Examples
    --------
    >>> from uhcs_bench import load
    >>> facts(load("particles", version="synthetic")[4])
    ['fold 1', '0.04 µm/px']
    """
    found = [f"fold {micrograph.fold}"]
    if treated := heat_treatment(micrograph.heat_treatment):
        found.append(treated)
    if micrograph.pixel_size_um is None:
        found.append("pixel size unknown")
    else:
        found.append(f"{micrograph.pixel_size_um:g} µm/px")
    if micrograph.filled_rows:
        rows = ", ".join(map(str, micrograph.filled_rows))
        found.append(f"image row {rows} lost at the source and filled with its neighbour")
    if micrograph.entry.correction is not None:
        rows = ", ".join(map(str, micrograph.filled_label_rows))
        found.append(f"annotation moved into place; row {rows} filled with its neighbour")
    return found


def heat_treatment(treatment: HeatTreatment) -> str:
    """Describe annealing and cooling; empty where nothing is recorded.

    Examples
    --------
    >>> from uhcs_bench.data.registry import HeatTreatment
    >>> heat_treatment(HeatTreatment("AC1 800C 3H WQ", 800.0, 3.0, "WQ"))
    '800 °C, 3 h, water-quenched'
    """
    parts = []
    if treatment.temperature_c is not None:
        parts.append(f"{treatment.temperature_c:g} °C")
    if treatment.time_h is not None:
        minutes = round(60 * treatment.time_h)
        parts.append(f"{minutes} min" if minutes % 60 else f"{minutes // 60} h")
    if treatment.cooling is not None:
        parts.append(_COOLING.get(treatment.cooling, treatment.cooling))
    return ", ".join(parts)
