"""Plot of two particle size distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.formatting import decimal, p_equals
from uhcs_bench.metallography import components
from uhcs_bench.web.pictures import round_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.scoring.results import SizeDistributionTest


# The size plot, in the units of its drawing. The frame leaves room for the axes' labels.
_PLOT_WIDTH, _PLOT_HEIGHT = 460, 320


_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 446, 50, 266


@dataclass(frozen=True)
class Tick:
    """A mark on an axis of the size plot."""

    at: float
    label: str


@dataclass(frozen=True)
class Gap:
    """The largest distance between two curves, the Kolmogorov-Smirnov statistic, in the plot."""

    x: float
    top: float
    bottom: float
    label: str
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True)
class SizePlot:
    """Cumulative distributions of particle diameter, as coordinates of a drawing."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    ticks_px: list[Tick]
    ticks_um: list[Tick]
    ticks_share: list[Tick]
    annotated: str | None
    predicted: str | None
    gap: Gap | None
    n_annotated: int
    n_predicted: int
    description: str


class Diameters:
    """Equivalent circular diameters of the particles of two maps, in pixels."""

    def __init__(self, annotated: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> None:
        self.annotated = _diameters(annotated)
        self.predicted = _diameters(predicted)
        self.largest_px = float(max(self.annotated.max(initial=1), self.predicted.max(initial=1)))


def _diameters(labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.sort(components.equivalent_diameters(components.particle_areas(labels)))


def size_plot(
    diameters: Diameters, test: SizeDistributionTest, pixel_um: float | None, largest_px: float
) -> SizePlot:
    """Draw both cumulative distributions; the axis is that of all micrographs of the task."""
    # One pixel has a diameter of 1.13.
    decades = math.log10(largest_px * 1.1)
    per_decade = (_RIGHT - _LEFT) / decades

    def x(diameter_px: float) -> float:
        return _LEFT + per_decade * math.log10(diameter_px)

    def y(share: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * share

    def curve(sample: NDArray[np.float64]) -> str | None:
        if not sample.size:
            return None
        values, counts = np.unique(sample, return_counts=True)
        shares = np.cumsum(counts) / sample.size
        steps = [f"H{x(v):.1f}V{y(s):.1f}" for v, s in zip(values, shares, strict=True)]
        return f"M{_LEFT} {_BOTTOM}{''.join(steps)}H{_RIGHT}"

    gap = None
    if test.ks_statistic is not None:
        at_px, *shares = _largest_gap(diameters.annotated, diameters.predicted)
        bottom = y(min(shares))
        # Below the lower curve to the right there is no curve, but perhaps the key; the label then
        # stands to the left of the gap, above the key.
        in_key = x(at_px) > _RIGHT - 270 and bottom > _BOTTOM - 70
        to_left = in_key or x(at_px) > _RIGHT - 60
        gap = Gap(
            x=x(at_px),
            top=y(max(shares)),
            bottom=bottom,
            label=f"D {decimal(test.ks_statistic)}",
            label_x=x(at_px) + (-8 if to_left else 8),
            label_y=_BOTTOM - 58 if in_key else min(bottom + 14, _BOTTOM - 6),
            anchor="end" if to_left else "start",
        )
    ticks_um = []
    if pixel_um is not None:
        lengths = round_numbers(pixel_um, 10**decades * pixel_um)
        ticks_um = [Tick(x(um / pixel_um), f"{um:g}") for um in lengths]
    return SizePlot(
        width=_PLOT_WIDTH,
        height=_PLOT_HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        ticks_px=[Tick(x(px), f"{px:g}") for px in round_numbers(1, 10**decades)],
        ticks_um=ticks_um,
        ticks_share=[Tick(y(share), f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1)],
        annotated=curve(diameters.annotated),
        predicted=curve(diameters.predicted),
        gap=gap,
        n_annotated=test.n_true,
        n_predicted=test.n_pred,
        description=verdict(test),
    )


def _largest_gap(
    annotated: NDArray[np.float64], predicted: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Find the diameter where two cumulative distributions differ most, and both shares there."""
    values = np.unique(np.concatenate([annotated, predicted]))
    share_annotated = np.searchsorted(annotated, values, side="right") / annotated.size
    share_predicted = np.searchsorted(predicted, values, side="right") / predicted.size
    at = int(np.abs(share_annotated - share_predicted).argmax())
    return float(values[at]), float(share_annotated[at]), float(share_predicted[at])


def verdict(test: SizeDistributionTest) -> str:
    """State in words whether the Kolmogorov-Smirnov test rejects equality."""
    conclusion = "not rejected" if test.consistent else "rejected"
    if test.ks_statistic is None:
        without = "neither map has particles"
        if test.n_true:
            without = "no particles predicted"
        elif test.n_pred:
            without = "no particles annotated"
        return f"{without}: equality {conclusion}"
    return f"D {decimal(test.ks_statistic)}, {p_equals(test.p_value)}: equality {conclusion}"
