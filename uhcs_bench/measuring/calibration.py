"""How far the measures are off where the truth is known, as resolution and noise change.

Synthetic micrographs (`uhcs_bench.synthetic.micrographs`) are measured as `measure` measures real
ones, column for column and with the same smallest diameter: on their exact label maps, and after
segmentation by Otsu's threshold. The error is what was measured over what was drawn in that very
field, less one, so that it holds what the measure adds and not how fields differ. Its mean over
fields is the bias, its standard deviation the spread.

All fields are equally large in particle diameters or zone widths, so that only the pixel size
changes along a line of the plot.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from uhcs_bench.errors import UsageError, listed
from uhcs_bench.formatting import abbreviated
from uhcs_bench.io.tables import csv_text
from uhcs_bench.measuring import _drawn, row
from uhcs_bench.measuring.outputs import plots
from uhcs_bench.measuring.pixel_size import Scale
from uhcs_bench.metallography import arguments
from uhcs_bench.metallography.labels import MATRIX, NETWORK
from uhcs_bench.segmentation import otsu
from uhcs_bench.synthetic import micrographs
from uhcs_bench.synthetic.imaging import Imaging, acquire
from uhcs_bench.synthetic.network import Hypereutectoid
from uhcs_bench.synthetic.sizes import Sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.figure import Figure
    from numpy.random import Generator
    from numpy.typing import NDArray

    from uhcs_bench.io.tables import Row

PARTICLE_MEASURES = (
    "fraction_particle",
    "number_density",
    "number_per_length",
    "mean_intercept",
    "free_path",
    "nearest_neighbour_distance",
    "diameter_mean",
    "diameter_sd",
    "diameter_median",
    "diameter_area_weighted_mean",
    "diameter_volume_weighted_mean",
    "lognormal_median",
    "lognormal_sigma",
    "perimeter_mean",
    "feret_mean",
    "circularity_mean",
    "aspect_ratio_mean",
    "spheroidised_2_by_number",
    "spheroidised_2_by_area",
    "spheroidised_3_by_number",
    "spheroidised_3_by_area",
    "unfolded_diameter_mean",
    "unfolded_number_density",
)
ZONE_MEASURES = ("zone_width_mean", "zone_width_median", "authors_zone_width_mean")
NETWORK_MEASURES = (
    "fraction_matrix",
    "fraction_network",
    "intercept_spacing",
    "intercept_free_path",
    "intercept_thickness",
    "network_largest_part",
    "network_closed_cells",
)
"""Measures of the network. Their truth is the exact label map, so that only a segmentation errs."""
MEASURES = PARTICLE_MEASURES + ZONE_MEASURES + NETWORK_MEASURES
"""By their names in `uhcs_bench.measuring.columns.MEASURES`."""

RESOLUTIONS_PX = (3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
"""Pixels per mean diameter, and per zone width. The benchmark's micrographs have about 4 to 20."""
NOISE = (4.0, 10.0, 20.0)
"""Standard deviations of the shot noise in ferrite, in gray levels. The real micrographs of the
particle task have 2 to 15, where particles stand out by 100 to 140 gray levels."""
REPLICATES = 8
MOST_REPLICATES = 1000
"""A bias is then known to a thirtieth of a field's spread; more would take days."""
SCHEMA = "uhcs-bench/calibration/2"

_FIELD_WIDTHS = 32
"""Side of a field in mean diameters, or zone widths: some 200 particles, or seven grains."""
SIZES = Sizes(median_um=0.923, log_sd=0.4, smallest_um=0.4, largest_um=2.5)
"""What is drawn, of a mean of 1 um: here micrometres are only a unit."""
ZONE = Hypereutectoid(
    grain_um=12.0,
    roughness_um=0.4,
    network_um=1.5,
    network_log_sd=0.3,
    denuded_um=1.0,
    lath_share=0.0,
)
_ENTROPY = 0x43414C
_PLOT_COLUMNS = 5


@dataclass(frozen=True)
class Errors:
    """Errors of a measure at a resolution and a noise level.

    Attributes
    ----------
    measure : str
        One of `MEASURES`.
    resolution_px : float
        Pixels per true mean diameter or true zone width.
    noise : float or None
        Gray levels, see `NOISE`; None for exact label maps.
    n : int
        Fields in which there was something to measure.
    bias : float
        Mean error, relative to the truth.
    bias_se : float
        Its standard error.
    spread : float
        Standard deviation of a field's error, relative to the truth.
    n_intervals : int
        Fields in which the measure has an interval.
    n_held : int
        Of those intervals, the ones that hold the mean truth of all fields.
    """

    measure: str
    resolution_px: float
    noise: float | None
    n: int
    bias: float
    bias_se: float
    spread: float
    n_intervals: int = 0
    n_held: int = 0

    @property
    def bias_px(self) -> float:
        """Mean error of a length in pixels."""
        return self.bias * self.resolution_px


@dataclass(frozen=True)
class Calibration:
    """Errors of all measures.

    Attributes
    ----------
    errors : tuple of Errors
        By measure, then noise, then resolution.
    replicates : int
        Fields per resolution.
    seed : int
    min_diameter : str or None
        Smallest diameter that counts; a micrometre is the mean diameter.
    """

    errors: tuple[Errors, ...]
    replicates: int
    seed: int
    min_diameter: str | None = None

    __repr__ = abbreviated

    def line(self, name: str, noise: float | None) -> tuple[Errors, ...]:
        """Pick the errors of a measure at a noise level, from coarse to fine."""
        return tuple(e for e in self.errors if e.measure == name and e.noise == noise)

    @property
    def noises(self) -> tuple[float | None, ...]:
        """Noise levels, None for exact label maps."""
        return tuple(dict.fromkeys(error.noise for error in self.errors))

    def trusted_from(self, name: str, noise: float | None, tolerance: float = 0.05) -> float | None:
        """Find the resolution from which on the bias stays within a tolerance.

        Parameters
        ----------
        name : str
            One of `MEASURES`.
        noise : float or None
        tolerance : float, optional
            Relative.

        Returns
        -------
        float or None
            In pixels per mean diameter or zone width; None if no resolution looked at is enough.
        """
        found = None
        for error in reversed(self.line(name, noise)):
            if not abs(error.bias) <= tolerance:
                break
            found = error.resolution_px
        return found

    def to_json(self) -> str:
        """Write everything as JSON; what is undefined is null."""
        rows = [
            {k: None if v != v else v for k, v in asdict(error).items()} for error in self.errors
        ]
        content = {
            "schema": SCHEMA,
            "replicates": self.replicates,
            "seed": self.seed,
            "min_diameter": self.min_diameter,
            "errors": rows,
        }
        return json.dumps(content, indent=1, allow_nan=False)

    def to_csv(self) -> str:
        """Write a row for each measure, noise level and resolution."""
        names = [field.name for field in fields(Errors)]
        return csv_text(names, map(astuple, self.errors))

    def to_text(self, tolerance: float = 0.05) -> str:
        """Lay biases out as tables of at most 80 columns: one for each noise level, and a summary.

        The summary states from which resolution on the bias stays within the tolerance.
        """
        from tabulate import tabulate

        style: dict[str, Any] = {"tablefmt": "simple", "disable_numparse": True}
        limit = self.min_diameter
        heading = (
            f"Bias in % over {self.replicates} synthetic fields; px are pixels per mean diameter, "
            "or per\nzone width. "
            + ("All particles count." if limit is None else f"Particles count from {limit} on.")
        )
        parts = [heading]
        for noise in self.noises:
            lines = (self.line(name, noise) for name in MEASURES)
            rows = [
                [line[0].measure, *map(_percent, line)]
                for line in lines
                if any(error.n for error in line)
            ]
            px = dict.fromkeys(f"{e.resolution_px:g}" for e in self.errors if e.noise == noise)
            align = ("left", *("right" for _ in px))
            parts.append(tabulate(rows, [_noise_name(noise), *px], colalign=align, **style))
        summary = [
            [name, *(self._from(name, noise, tolerance) for noise in self.noises)]
            for name in MEASURES
            if any(self.line(name, noise) for noise in self.noises)
        ]
        header = [f"within {100 * tolerance:g} % from", *map(_noise_name, self.noises)]
        held = ["intervals that hold", *(self._held(noise) for noise in self.noises)]
        align = ("left", *("right" for _ in self.noises))
        parts.append(tabulate([*summary, held], header, colalign=align, **style))
        return "\n\n".join(parts)

    def _from(self, name: str, noise: float | None, tolerance: float) -> str:
        if not any(error.n for error in self.line(name, noise)):
            return "-"
        px = self.trusted_from(name, noise, tolerance)
        return "never" if px is None else f"{px:g} px"

    def _held(self, noise: float | None) -> str:
        chosen = [error for error in self.errors if error.noise == noise]
        n = sum(error.n_intervals for error in chosen)
        return f"{100 * sum(error.n_held for error in chosen) / n:.0f} %" if n else "-"


def _noise_name(noise: float | None) -> str:
    return "label map" if noise is None else f"noise {noise:g}"


def _percent(error: Errors) -> str:
    percent = 100 * error.bias
    if math.isnan(percent):
        return "-"
    return f"{percent:+.1f}" if abs(percent) < 9.95 else f"{percent:+.0f}"


def calibrate(
    resolutions_px: Sequence[float] = RESOLUTIONS_PX,
    noise: Sequence[float] = NOISE,
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[Sequence[float]], Iterable[float]] = iter,
    min_diameter: str | None = None,
) -> Calibration:
    """Measure synthetic micrographs and compare with the truth.

    Parameters
    ----------
    resolutions_px : sequence of float, optional
        Pixels per mean diameter, and per zone width.
    noise : sequence of float, optional
        Standard deviations of the shot noise in ferrite, in gray levels. The exact label maps come
        before these; without any level they are all.
    replicates : int, optional
        Fields per resolution, from 2 to `MOST_REPLICATES`.
    seed : int, optional
        At least 0.
    progress : callable, optional
        Gets the pixel sizes to work off, one entry for each field, and hands them on, such as
        ``tqdm``.
    min_diameter : str, optional
        Smallest diameter that counts, as for `measure`, such as ``"5px"``, or ``"0.4um"`` where a
        micrometre is the mean diameter. It is the smallest one that was drawn and is measured.

    Returns
    -------
    Calibration

    Raises
    ------
    UsageError
        If a number makes no sense, see `check`.

    Notes
    -----
    On exact label maps what remains is systematic:

    - *Pixels.* A particle's number of pixels is its area without bias, whatever its size, because
      it lies at random on the grid. Its diameter, a square root, comes out too small by
      var(N) / (8 area²) of itself: for a disc var(N) is about 0.7 r [1]_, so that this is 0.1 % at
      4 px and 0.01 % at 8 px. Particles below a pixel or so are lost, which raises the mean.
    - *Border.* Particles that it cuts are left out, and those that are whole stand for them by
      their weights (`uhcs_bench.metallography.particles.number_density`): no bias, but a spread
      of a few percent.
    - *Oblique zones.* `uhcs_bench.metallography.denuded_zone.unobstructed_widths` runs from tread
      to tread of the
      outlines' staircases, which are nearer to each other than the outlines: 0.1 to 0.3 px too
      short on average. In percent that fades as resolution grows.
    - *The paper's zone measure* counts pixels on both sides of the interface, half a pixel too far
      out on average, and takes away zones whose outlines are smooth, as drawn ones are: its error
      doesn't fade with resolution. See `uhcs_bench.metallography.denuded_zone`.

    With images the threshold's errors come in: blur merges and swallows what is small, texture and
    noise make specks and jags. Specks outnumber particles unless a smallest diameter is given. For
    zones the network is what Otsu's threshold finds in matrix and network; spheroidite is as in the
    truth, since a threshold says nothing of it.

    References
    ----------
    .. [1] D. G. Kendall (1948), On the number of lattice points inside a random oval, Quarterly
       Journal of Mathematics 19, 1-26.

    Examples
    --------
    >>> found = calibrate(resolutions_px=[8], noise=[], replicates=2)
    >>> mean = found.line("diameter_mean", None)[0]
    >>> mean.n, bool(abs(mean.bias) < 0.05)
    (2, True)
    """
    check(resolutions_px, noise, replicates, min_diameter, seed)
    if not callable(progress):
        raise UsageError(
            f"The progress can't be {progress!r}. Give a function that takes the pixel sizes and "
            "hands them on, such as tqdm, or leave it out."
        )
    levels: tuple[float | None, ...] = (None, *noise)
    found: dict[tuple[str, float | None, float], list[_Found]] = {
        (name, level, px): [] for name in MEASURES for level in levels for px in resolutions_px
    }
    jobs = [px for px in resolutions_px for _ in range(replicates)]
    for index, px in enumerate(progress(jobs)):
        for level, name, one in _measured(px, levels, (seed, index % replicates), min_diameter):
            found[name, level, px].append(one)
    errors = tuple(_summary(*key, each) for key, each in found.items())
    return Calibration(errors, replicates, seed, min_diameter)


class _Found(NamedTuple):
    """A measure of one field, its interval, and what was drawn."""

    value: float
    low: float
    high: float
    truth: float


def check(
    resolutions_px: Sequence[float],
    noise: Sequence[float],
    replicates: int,
    min_diameter: str | None = None,
    seed: int = 0,
) -> None:
    """See that `calibrate` can work with these numbers.

    Raises
    ------
    UsageError
        If a number makes no sense; all that make none are said at once.
    """
    arguments.check_min_diameter(min_diameter)
    problems = []
    numbers = (*_sequence(resolutions_px), *_sequence(noise), replicates)
    if not all(isinstance(number, int | float | np.number) for number in numbers):
        raise UsageError(
            f"Resolutions {resolutions_px!r}, noise {noise!r} and replicates {replicates!r} are "
            "not all numbers. Give lists of numbers for resolutions and noise, and one number of "
            "replicates."
        )
    if not resolutions_px or not all(2 <= px <= 100 for px in resolutions_px):
        problems.append(f"Resolutions must be from 2 to 100 px, not {list(resolutions_px)}.")
    if len(set(resolutions_px)) < len(resolutions_px) or len(set(noise)) < len(noise):
        problems.append("A resolution or a noise level is named twice. Name it once.")
    if not all(0 < level <= 100 for level in noise):
        problems.append(f"Noise must be above 0 and at most 100 gray levels, not {list(noise)}.")
    if not _is_whole(replicates) or not 2 <= replicates <= MOST_REPLICATES:
        problems.append(
            f"Replicates must be a whole number from 2, which a spread needs, to "
            f"{MOST_REPLICATES}, not {replicates}."
        )
    if not _is_whole(seed) or seed < 0:
        problems.append(f"A seed must be a whole number, 0 or more, not {seed!r}.")
    if problems:
        raise UsageError(listed("Nothing was calibrated", problems))


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _sequence(values: object) -> Iterable[object]:
    """Give the elements of a sequence; anything else is an element that is no number."""
    is_sequence = isinstance(values, Iterable) and not isinstance(values, str)
    return values if is_sequence else (str(values),)  # type: ignore[return-value]


def _summary(name: str, noise: float | None, px: float, found: list[_Found]) -> Errors:
    values, low, high, truth = np.array(found, float).reshape(-1, 4).T
    with np.errstate(divide="ignore", invalid="ignore"):
        known = values / truth - 1
    known = known[np.isfinite(known)]
    n = known.size
    bias = float(known.mean()) if n else math.nan
    spread = float(known.std(ddof=1)) if n > 1 else math.nan
    has_interval = ~np.isnan(low + high) & ~np.isnan(truth)
    expected = float(truth[has_interval].mean()) if has_interval.any() else math.nan
    held = (low <= expected) & (expected <= high) & has_interval
    error = spread / math.sqrt(n) if n else math.nan
    return Errors(name, px, noise, n, bias, error, spread, int(has_interval.sum()), int(held.sum()))


def _measured(
    px: float, levels: Sequence[float | None], seed: tuple[int, int], min_diameter: str | None
) -> Iterator[tuple[float | None, str, _Found]]:
    """Make a field of particles and one with zones, image each at all noise levels, and measure."""
    side = round(_FIELD_WIDTHS * px)
    particles_seed, zone_seed, imaging_seed = np.random.SeedSequence(
        _ENTROPY, spawn_key=(*seed, round(1000 * px))
    ).spawn(3)
    field = micrographs.particles(
        np.random.default_rng(particles_seed), (side, side), 1 / px, SIZES
    )
    zones = micrographs.hypereutectoid(np.random.default_rng(zone_seed), (side, side), 1 / px, ZONE)
    scale = Scale(1 / px, "stated")
    drawn = _drawn.of_particles(field, min_diameter)
    stated = _drawn.of_network(zones)
    exact = row.measure(zones.labels, "microconstituents", scale).row
    for level in levels:
        mask, labels = field.labels, zones.labels
        if level is not None:
            mask, bright = (
                _brighter(made.cementite, level, np.random.default_rng(imaging_seed))
                for made in (field, zones)
            )
            labels = _with_network(zones.labels, bright > 0)
        measured = row.measure(mask, "particles", scale, min_diameter=min_diameter).row
        for name in PARTICLE_MEASURES:
            yield level, name, _found(measured, name, drawn.get(name, math.nan))
        measured = row.measure(labels, "microconstituents", scale).row
        for name in ZONE_MEASURES:
            yield level, name, _found(measured, name, stated[name])
        for name in NETWORK_MEASURES:
            truth = math.nan if level is None else _found(exact, name, math.nan).value
            yield level, name, _found(measured, name, truth)


def _found(measured: Row, name: str, truth: float) -> _Found:
    """Look a measure up, in micrometres if it has a unit."""
    column = next(
        name + unit
        for unit in ("", "_um", "_per_um", "_per_um2", "_per_um3")
        if name + unit in measured
    )
    cells = (measured.get(column + end) for end in ("", "_low", "_high"))
    value, low, high = (math.nan if cell is None else float(cell) for cell in cells)
    return _Found(value, low, high, truth)


def standard_imaging(noise: float) -> Imaging:
    """Image like an ordinary micrograph of the particle task, with a stated shot noise.

    Parameters
    ----------
    noise : float
        Standard deviation in ferrite, in gray levels.
    """
    ordinary = Imaging()
    return replace(ordinary, electrons=ordinary.ferrite / noise**2, read_noise=0.0)


def _brighter(cementite: NDArray[np.float64], noise: float, rng: Generator) -> NDArray[np.uint8]:
    """Image cementite, and find it by Otsu's threshold."""
    image = acquire(rng, standard_imaging(noise), cementite)
    return otsu.segment(image, "particles")


def _with_network(labels: NDArray[np.uint8], bright: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Take for network what is bright in matrix and network."""
    undecided = (labels == MATRIX) | (labels == NETWORK)
    decided = np.where(undecided, MATRIX, labels)
    decided[undecided & bright] = NETWORK
    return decided.astype(np.uint8)


def plot(calibration: Calibration) -> Figure:
    """Draw errors against pixels per particle diameter and per zone width.

    Parameters
    ----------
    calibration : Calibration

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each measure, in it a line for each noise level: bias with its standard error,
        and the exact label maps' spread of single fields as a band.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    plots.check()
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, NullLocator

    n_rows = -(-(len(MEASURES) + 1) // _PLOT_COLUMNS)
    figure = Figure(figsize=(3.2 * _PLOT_COLUMNS, 2.4 * n_rows), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(n_rows, _PLOT_COLUMNS)
    noises = calibration.noises
    # Exact maps are black; the more noise, the lighter.
    shades = colormaps["viridis"](np.linspace(0.1, 0.85, max(len(noises) - 1, 1)))
    colors = ["black", *shades][: len(noises)]
    for axes, name in zip(panels.flat, MEASURES, strict=False):
        for noise, color in zip(noises, colors, strict=True):
            line = calibration.line(name, noise)
            px, bias, error, spread = (
                np.array([getattr(e, key) for e in line])
                for key in ("resolution_px", "bias", "bias_se", "spread")
            )
            label = _noise_name(noise)
            axes.errorbar(px, 100 * bias, 100 * error, marker="o", ms=4, color=color, label=label)
            if noise is None:
                band = (100 * (bias - spread), 100 * (bias + spread))
                axes.fill_between(px, *band, color=color, alpha=0.12, lw=0)
        axes.axhline(0.0, color="0.6", lw=0.8, zorder=0)
        axes.set_xscale("log")
        axes.set_xticks(px, [f"{value:g}" for value in px])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        of = "mean particle diameter" if name in PARTICLE_MEASURES else "zone width"
        axes.set_xlabel(f"pixels per {of}")
        axes.set_ylabel("error in %")
        axes.set_title(name, fontsize="medium")
    for unused in panels.flat[len(MEASURES) :]:
        unused.set_axis_off()
    last = panels.flat[-1]
    handles, names = panels.flat[0].get_legend_handles_labels()
    last.legend(handles, names, loc="upper left", frameon=False)
    last.text(
        0.02,
        0.35,
        f"{calibration.replicates} synthetic fields per point.\nBars: standard error of the mean."
        "\nBand: spread of single fields on exact\nlabel maps. Noise: standard deviation in"
        "\nferrite, in gray levels.",
        transform=last.transAxes,
        va="top",
        fontsize="small",
    )
    return figure
