"""How far the measures are off where the truth is known, as resolution and noise change.

Synthetic micrographs (`uhcs_bench.synthetic.micrographs`) are measured as a user would measure
real ones: on
their exact label maps, and after segmentation by Otsu's threshold. The error is what was measured
over what was drawn in that very field, less one, so that it holds what the measure adds and not
how fields differ, which is the sampling error s / sqrt(n) of n particles with standard deviation s.
Its mean over fields is the bias, its standard deviation the spread.

All fields are equally large in particle diameters or zone widths, so that only the pixel size
changes along a line of the plot.

What ``uhcs-bench calibrate`` found, 8 fields of 200 particles or 7 grains per point:

- On exact label maps mean and median diameter and the number density are right to 1.5 % from 3 px
  per mean diameter on; single fields differ by 1 to 4 % from what was drawn in them.
- On segmented micrographs of noise up to 10 gray levels sizes may be trusted from 6 px (3 %), the
  number from 16 px (5 %). Below 6 px blur swallows the small particles: at 4 px the mean is 11 to
  13 % too large, at 3 px a quarter. The number is up to 12 % too large, because texture passes for
  particles.
- Denuded zones along lines (`uhcs_bench.metallography.denuded_zone.unobstructed_widths`) are 0.11
  px too narrow
  on exact maps at 3 px and 0.26 px at 24 px: 4 % and 1 %. On segmented micrographs jags bring the
  outlines nearer to each other, by 0.2 to 0.8 px up to noise 10: within 5 % from 8 to 16 px on.
- The paper's widths are a sixth to a half of the true ones on exact maps at any resolution, because
  the cleaning takes away zones whose outlines are smooth. Jagged outlines save them: there the
  error is smaller the more noise there is, which is no merit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from uhcs_bench.errors import UsageError, listed
from uhcs_bench.formatting import abbreviated
from uhcs_bench.io.tables import csv_text
from uhcs_bench.measuring.outputs import plots
from uhcs_bench.metallography import denuded_zone
from uhcs_bench.metallography import particles as measure
from uhcs_bench.metallography.labels import MATRIX, NETWORK
from uhcs_bench.segmentation import otsu
from uhcs_bench.synthetic import micrographs
from uhcs_bench.synthetic.imaging import Imaging, acquire
from uhcs_bench.synthetic.network import Hypereutectoid
from uhcs_bench.synthetic.particle_field import Sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.figure import Figure
    from numpy.random import Generator
    from numpy.typing import NDArray

    from uhcs_bench.synthetic.micrographs import Synthetic

MeasureName = Literal[
    "mean diameter", "median diameter", "number density", "zone width", "zone width (paper)"
]

PARTICLE_MEASURES: tuple[MeasureName, ...] = (
    "mean diameter",
    "median diameter",
    "number density",
)
ZONE_MEASURES: tuple[MeasureName, ...] = ("zone width", "zone width (paper)")
MEASURES = PARTICLE_MEASURES + ZONE_MEASURES

RESOLUTIONS_PX = (3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
"""Pixels per mean diameter, and per zone width. The benchmark's micrographs have about 4 to 20."""
NOISE = (4.0, 10.0, 20.0)
"""Standard deviations of the shot noise in ferrite, in gray levels. The real micrographs of the
particle task have 2 to 15, where particles stand out by 100 to 140 gray levels."""
REPLICATES = 8
SCHEMA = "uhcs-bench/calibration/1"

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
    """

    measure: MeasureName
    resolution_px: float
    noise: float | None
    n: int
    bias: float
    bias_se: float
    spread: float

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
    """

    errors: tuple[Errors, ...]
    replicates: int
    seed: int

    __repr__ = abbreviated

    def line(self, name: MeasureName, noise: float | None) -> tuple[Errors, ...]:
        """Pick the errors of a measure at a noise level, from coarse to fine."""
        return tuple(e for e in self.errors if e.measure == name and e.noise == noise)

    @property
    def noises(self) -> tuple[float | None, ...]:
        """Noise levels, None for exact label maps."""
        return tuple(dict.fromkeys(error.noise for error in self.errors))

    def trusted_from(
        self, name: MeasureName, noise: float | None, tolerance: float = 0.05
    ) -> float | None:
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
            "errors": rows,
        }
        return json.dumps(content, indent=1, allow_nan=False)

    def to_csv(self) -> str:
        """Write a row for each measure, noise level and resolution."""
        names = [field.name for field in fields(Errors)]
        return csv_text(names, map(astuple, self.errors))

    def to_text(self, tolerance: float = 0.05) -> str:
        """Lay biases out as tables of at most 80 columns, in percent with their standard errors."""
        from tabulate import tabulate

        heading = (
            f"Bias in %, with its standard error, over {self.replicates} synthetic fields; px are "
            "pixels\nper mean diameter, or per zone width."
        )
        parts = [heading]
        for name in MEASURES:
            lines = [line for noise in self.noises if (line := self.line(name, noise))]
            if not lines:
                continue
            rows = [
                [f"{errors[0].resolution_px:g} px", *(_percent(error) for error in errors)]
                for errors in zip(*lines, strict=True)
            ]
            enough = [self.trusted_from(name, line[0].noise, tolerance) for line in lines]
            named = ("never" if px is None else f"from {px:g} px" for px in enough)
            rows.append([f"within {100 * tolerance:g} %", *named])
            header = [name, *(_noise_name(line[0].noise) for line in lines)]
            parts.append(tabulate(rows, header, stralign="right", disable_numparse=True))
        return "\n\n".join(parts)


def _noise_name(noise: float | None) -> str:
    return "label map" if noise is None else f"noise {noise:g}"


def _percent(error: Errors) -> str:
    if math.isnan(error.bias):
        return "-"
    return f"{100 * error.bias:+.1f}±{100 * error.bias_se:.1f}"


def calibrate(
    resolutions_px: Sequence[float] = RESOLUTIONS_PX,
    noise: Sequence[float] = NOISE,
    replicates: int = REPLICATES,
    seed: int = 0,
    progress: Callable[[Sequence[float]], Iterable[float]] = iter,
) -> Calibration:
    """Measure synthetic micrographs and compare with the truth.

    Parameters
    ----------
    resolutions_px : sequence of float, optional
        Pixels per mean diameter, and per zone width.
    noise : sequence of float, optional
        Standard deviations of the shot noise in ferrite, in gray levels. The exact label maps come
        before these.
    replicates : int, optional
        Fields per resolution, at least 2.
    seed : int, optional
    progress : callable, optional
        Gets the pixel sizes to work off, one entry for each field, and hands them on, such as
        ``tqdm``.

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
    noise make specks and jags. Components smaller than the smallest particle that was drawn don't
    count, as for a user who states from which size on particles are measured; without such a limit
    specks outnumber particles. For zones the network is what Otsu's threshold finds in matrix and
    network, less components below 128 px; spheroidite is as in the truth, since a threshold says
    nothing of it.

    References
    ----------
    .. [1] D. G. Kendall (1948), On the number of lattice points inside a random oval, Quarterly
       Journal of Mathematics 19, 1-26.

    Examples
    --------
    >>> found = calibrate(resolutions_px=[8], noise=[], replicates=2)
    >>> mean = found.line("mean diameter", None)[0]
    >>> mean.n, bool(abs(mean.bias) < 0.05)
    (2, True)
    """
    check(resolutions_px, noise, replicates)
    levels: tuple[float | None, ...] = (None, *noise)
    relative: dict[tuple[MeasureName, float | None, float], list[float]] = {
        (name, level, px): [] for name in MEASURES for level in levels for px in resolutions_px
    }
    jobs = [px for px in resolutions_px for _ in range(replicates)]
    for index, px in enumerate(progress(jobs)):
        for level, name, error in _field_errors(px, levels, (seed, index % replicates)):
            relative[name, level, px].append(error)
    errors = tuple(_summary(*key, np.array(found)) for key, found in relative.items())
    return Calibration(errors, replicates, seed)


def check(resolutions_px: Sequence[float], noise: Sequence[float], replicates: int) -> None:
    """See that `calibrate` can work with these numbers.

    Raises
    ------
    UsageError
        If a number makes no sense; all that make none are said at once.
    """
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
    if replicates < 2:
        problems.append(f"A spread needs at least 2 replicates, not {replicates}. Give 2 or more.")
    if problems:
        raise UsageError(listed("Nothing was calibrated", problems))


def _sequence(values: object) -> Iterable[object]:
    """Give the elements of a sequence; anything else is an element that is no number."""
    is_sequence = isinstance(values, Iterable) and not isinstance(values, str)
    return values if is_sequence else (str(values),)  # type: ignore[return-value]


def _summary(
    name: MeasureName, noise: float | None, px: float, found: NDArray[np.float64]
) -> Errors:
    known = found[np.isfinite(found)]
    n = known.size
    bias = float(known.mean()) if n else math.nan
    spread = float(known.std(ddof=1)) if n > 1 else math.nan
    return Errors(name, px, noise, n, bias, spread / math.sqrt(n) if n else math.nan, spread)


def _field_errors(
    px: float, levels: Sequence[float | None], seed: tuple[int, int]
) -> Iterator[tuple[float | None, MeasureName, float]]:
    """Make a field of particles and one with zones, image each at all noise levels, and measure."""
    side = round(_FIELD_WIDTHS * px)
    particles_seed, zone_seed, imaging_seed = np.random.SeedSequence(
        _ENTROPY, spawn_key=(*seed, round(1000 * px))
    ).spawn(3)
    field = micrographs.particles(
        np.random.default_rng(particles_seed), (side, side), 1 / px, SIZES
    )
    zones = micrographs.hypereutectoid(np.random.default_rng(zone_seed), (side, side), 1 / px, ZONE)
    for level in levels:
        mask, labels = field.labels > 0, zones.labels
        if level is not None:
            mask, bright = (
                _brighter(made.cementite, level, np.random.default_rng(imaging_seed))
                for made in (field, zones)
            )
            mask = _components(mask, math.pi / 4 * (SIZES.smallest_um * px) ** 2)
            labels = _with_network(zones.labels, bright)
        found = (*particle_errors(field, mask), *zone_errors(zones, labels))
        for name, error in zip(MEASURES, found, strict=True):
            yield level, name, error


def standard_imaging(noise: float) -> Imaging:
    """Image like an ordinary micrograph of the particle task, with a stated shot noise.

    Parameters
    ----------
    noise : float
        Standard deviation in ferrite, in gray levels.
    """
    ordinary = Imaging()
    return replace(ordinary, electrons=ordinary.ferrite / noise**2, read_noise=0.0)


def _brighter(cementite: NDArray[np.float64], noise: float, rng: Generator) -> NDArray[np.bool_]:
    """Image cementite, and find it by Otsu's threshold."""
    image = acquire(rng, standard_imaging(noise), cementite)
    return np.asarray(otsu.segment(image, "particles") > 0)


def _components(mask: NDArray[np.bool_], smallest_px: float) -> NDArray[np.bool_]:
    """Drop what has fewer pixels than the smallest that is looked for."""
    from scipy.ndimage import label

    components, _ = label(mask, np.ones((3, 3)))
    large = np.bincount(components.ravel()) >= smallest_px
    large[0] = False
    return np.asarray(large[components])


def _with_network(labels: NDArray[np.uint8], bright: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Take for network what is bright in matrix and network, without specks."""
    undecided = (labels == MATRIX) | (labels == NETWORK)
    network = _components(undecided & bright, denuded_zone.HOLE_PX)
    decided = np.where(undecided, MATRIX, labels)
    decided[network] = NETWORK
    return decided.astype(np.uint8)


def particle_errors(made: Synthetic, mask: NDArray[np.generic]) -> tuple[float, float, float]:
    """Compare measured particles with those that were drawn.

    Parameters
    ----------
    made : Synthetic
    mask : ndarray, shape (rows, columns)
        Its label map, or a segmentation of its image.

    Returns
    -------
    tuple of float
        Relative errors of mean and median diameter and of the number density; NaN where nothing was
        found.
    """
    found = measure.measure_particles(mask, made.pixel_size_um)
    sizes = measure.size_distribution(found).diameters
    density = measure.number_density(found).um.value
    true = made.diameters_um
    return (
        sizes.mean.um.value / float(true.mean()) - 1.0,
        sizes.median.um.value / float(np.median(true)) - 1.0,
        density / made.number_density_um - 1.0,
    )


def zone_errors(made: Synthetic, labels: NDArray[np.uint8]) -> tuple[float, float]:
    """Compare measured denuded-zone widths with the one that was stated.

    Parameters
    ----------
    made : Synthetic
        With a zone of one width.
    labels : ndarray of uint8, shape (rows, columns)
        Its label map, or a segmentation of its image.

    Returns
    -------
    tuple of float
        Relative errors of the mean width along lines through the zone, and of the paper's mean
        width; NaN where nothing was found.
    """
    if not isinstance(made.structure, Hypereutectoid):
        raise TypeError("a field of particles has no denuded zone")
    true_px = made.structure.denuded_um / made.pixel_size_um
    clear = denuded_zone.unobstructed_widths(labels)
    paper = denuded_zone.denuded_zone_widths(labels).widths_px
    along = np.average(clear.widths_px, weights=clear.weights) if len(clear) else math.nan
    return (
        float(along) / true_px - 1.0,
        (float(paper.mean()) if len(paper) else math.nan) / true_px - 1.0,
    )


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

    figure = Figure(figsize=(11.0, 6.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 3)
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
        of = "zone width" if name in ZONE_MEASURES else "mean particle diameter"
        axes.set_xlabel(f"pixels per {of}")
        axes.set_ylabel("error in %")
        axes.set_title(name, fontsize="medium")
    last = panels.flat[-1]
    last.set_axis_off()
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
