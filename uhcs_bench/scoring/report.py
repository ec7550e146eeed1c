"""Show a scored submission as one web page that needs nothing but itself.

The page is ``templates/page.html.jinja`` filled with what this module computes: label maps and
error maps as images, confusion matrices, size distributions. Style and script stand inside it, and
its content security policy lets nothing be loaded from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import jinja2
import numpy as np
from PIL import Image

from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.io.atomic import replacing
from uhcs_bench.metrics import confusion as metrics
from uhcs_bench.metrics import particle_sizes
from uhcs_bench.scoring import score as scoring
from uhcs_bench.scoring import text as tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from uhcs_bench.data.dataset import Micrograph
    from uhcs_bench.data.registry import Entry, FileKind, HeatTreatment
    from uhcs_bench.scoring.score import (
        ConventionScore,
        Estimate,
        MicrographScore,
        Report,
        SizeDistributionTest,
        TaskScore,
    )
    from uhcs_bench.scoring.submission import Submission

HIT_COLOR = "#333333"
"""Particle pixels that were found, in the error map of the particles task."""

_MISSING = "-"
_N_SHADES = 20
_DARKEST_SHADE = (8, 69, 122)
_COOLING = {
    "Q": "quenched",
    "WQ": "water-quenched",
    "AR": "air-cooled",
    "FC": "furnace-cooled",
}

# The size plot, in the units of its drawing. The frame leaves room for the axes' labels.
_PLOT_WIDTH, _PLOT_HEIGHT = 460, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 446, 50, 266


@dataclass(frozen=True)
class LegendItem:
    """A colour, and what it stands for."""

    color: str
    meaning: str


@dataclass(frozen=True)
class ConfusionCell:
    """Pixels of one annotated and one predicted class; the share is of the annotated pixels."""

    count: int
    share: float | None
    shade: int


@dataclass(frozen=True)
class FoldRow:
    """Scores of one fold in the paper's convention; how many size distributions are consistent."""

    number: int
    n_images: int
    score: ConventionScore
    n_consistent: int | None


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


@dataclass(frozen=True)
class ScaleBar:
    """A length that is drawn into the micrograph, as a share of its width."""

    share: float
    label: str


@dataclass(frozen=True)
class ClassRow:
    """Scores of one class on one micrograph, and its share of the area in both maps."""

    name: str
    color: str
    score: scoring.ClassScore
    annotated_share: float
    predicted_share: float


@dataclass(frozen=True)
class MicrographSection:
    """What the page shows of one micrograph; images are data URIs."""

    score: MicrographScore
    anchor: str
    rank: int
    facts: list[str]
    n_rows: int
    n_columns: int
    image: str
    annotation: str
    prediction: str
    errors: str
    scale_bar: ScaleBar | None
    classes: list[ClassRow]
    verdict: str | None
    plot: SizePlot | None


@dataclass(frozen=True)
class TaskSection:
    """What the page shows of one task."""

    task: protocol.Task
    score: TaskScore
    folds: str
    legend: list[LegendItem]
    error_legend: list[LegendItem]
    confusion: list[list[ConfusionCell]]
    fold_rows: list[FoldRow]
    further_tables: list[tables.Table]
    micrographs: list[MicrographSection]
    licences: dict[str, list[str]]
    citations: list[str]


def write(folder: Path, report: Report, submissions: Sequence[Submission], title: str) -> Path:
    """Write the page of a scored submission.

    Parameters
    ----------
    folder : Path
        Made where needed.
    report : Report
        The scores of `submissions`.
    submissions : sequence of Submission
        The label maps that were scored.
    title : str
        What was scored, for example the name of the folder of predictions.

    Returns
    -------
    Path
        ``index.html`` in `folder`. It appears whole or not at all; the same input gives the same
        bytes.

    Raises
    ------
    ValueError
        If `report` is not that of `submissions`.
    DataUnavailableError
        If the micrographs could not be had from any source.

    Examples
    --------
    >>> import uhcs_bench
    >>> from uhcs_bench.scoring.submission import read_submission
    >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
    >>> maps = {m.id: m.labels for m in fold.val}
    >>> submissions = read_submission(maps, fold=2, version="synthetic")
    >>> report = scoring.score_submissions(submissions)
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write(Path(folder), report, submissions, "the annotations themselves").name
    'index.html'
    """
    page = to_html(report, submissions, title)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    with replacing(path) as partial:
        # A folder's name may hold bytes that are no text.
        partial.write_bytes(page.encode("utf-8", errors="replace"))
    return path


def to_html(report: Report, submissions: Sequence[Submission], title: str) -> str:
    """Lay the scores and maps of a submission out as a web page.

    Parameters
    ----------
    report : Report
        The scores of `submissions`.
    submissions : sequence of Submission
        The label maps that were scored.
    title : str
        What was scored.

    Returns
    -------
    str
        The text of ``index.html``, see `write`.

    Raises
    ------
    ValueError
        If `report` is not that of `submissions`.
    DataUnavailableError
        If the micrographs could not be had from any source.

    Examples
    --------
    >>> import uhcs_bench
    >>> from uhcs_bench.scoring.submission import read_submission
    >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
    >>> maps = {m.id: m.labels for m in fold.val}
    >>> submissions = read_submission(maps, fold=2, version="synthetic")
    >>> page = to_html(scoring.score_submissions(submissions), submissions, "<perfect>")
    >>> "<h1>&lt;perfect&gt;</h1>" in page
    True
    """
    data = (report.dataset_version, report.split)
    scored = [(*data, task.task, [image.id for image in task.images]) for task in report.tasks]
    submitted = [
        (s.version, s.split, s.task.name, [entry.id for entry in s.entries]) for s in submissions
    ]
    if scored != submitted:
        raise ValueError(f"the report is on {scored}, the submissions are {submitted}")
    css = _asset("report.css") + _shades_css()
    script = _asset("report.js")
    page = _template().render(
        title=title,
        report=report,
        synthetic=report.dataset_version == protocol.SYNTHETIC_VERSION,
        version_meaning=protocol.VERSIONS[protocol.check_version(report.dataset_version)],
        split_meaning=protocol.SPLITS[protocol.check_split(report.split)],
        conventions=protocol.CONVENTIONS,
        tasks=[_task_section(*pair) for pair in zip(report.tasks, submissions, strict=True)],
        css=css,
        script=script,
        css_hash=csp_hash(css),
        script_hash=csp_hash(script),
    )
    return page.lstrip()  # the macros leave blank lines


@cache
def _template() -> jinja2.Template:
    return environment().get_template("scoring/templates/page.html.jinja")


@cache
def environment() -> jinja2.Environment:
    """Set up templates of the package's ``data`` folder: everything is escaped, nothing guessed."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("uhcs_bench", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=_percent,
        mean_se=_mean_se,
        interval=_interval,
        count=_count,
        decimal=_decimal,
        p_value=_p_value,
    )
    return environment


def _asset(name: str) -> str:
    return (resources.files("uhcs_bench") / "scoring" / "templates" / name).read_text(
        encoding="utf-8"
    )


def csp_hash(text: str) -> str:
    """Name an inline style or script in the page's content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _shades_css() -> str:
    """Colour the cells of confusion matrices by share of row.

    Classes and not style attributes, since the content security policy forbids those.
    """
    rules = []
    for shade in range(_N_SHADES + 1):
        rgb = [round(255 + (dark - 255) * shade / _N_SHADES) for dark in _DARKEST_SHADE]
        background = "#{:02x}{:02x}{:02x}".format(*rgb)
        # Of black and white, one always has a contrast of at least 4.5 against any colour.
        text = "#fff" if luminance(rgb) < 0.179 else "#000"
        rules.append(f".shade-{shade} {{ background: {background}; color: {text}; }}\n")
    return "".join(rules)


def luminance(rgb: Sequence[int]) -> float:
    """Relative luminance of a colour, as the Web Content Accessibility Guidelines define it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _unit(rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _unit(rgb: Sequence[int]) -> list[float]:
    return [channel / 255 for channel in rgb]


def _percent(value: float | None) -> str:
    return _MISSING if value is None else f"{100 * value:.1f}"


def _mean_se(estimate: Estimate) -> str:
    if estimate.se is None:
        return _percent(estimate.mean)
    return f"{_percent(estimate.mean)} ± {_percent(estimate.se)}"


def _interval(estimate: Estimate) -> str:
    if estimate.ci95 is None:
        return ""
    return " to ".join(map(_percent, estimate.ci95))


def _count(number: int) -> str:
    """Group digits by a narrow space that does not break."""
    return f"{number:,}".replace(",", "\u202f")


def _decimal(value: float | None) -> str:
    return _MISSING if value is None else f"{value:.2f}"


def _p_value(p_value: float | None) -> str:
    """Round a p-value, but never across the level of the test."""
    if p_value is None:
        return _MISSING
    if p_value < 0.001:
        return "< 0.001"
    digits = 2
    while (float(f"{p_value:.{digits}g}") >= protocol.KS_ALPHA) != (p_value >= protocol.KS_ALPHA):
        digits += 1
    return f"{p_value:.{digits}g}"


def _task_section(score: TaskScore, submission: Submission) -> TaskSection:
    task = submission.task
    truth = {m.id: m for m in dataset.micrographs(submission.entries)}
    worst_first = sorted(score.images, key=lambda image: image.IU)
    diameters = {
        image.id: Diameters(truth[image.id].labels, submission.maps[image.id])
        for image in score.images
        if task.has_particles
    }
    largest_px = max((d.largest_px for d in diameters.values()), default=1.0)
    return TaskSection(
        task=task,
        score=score,
        folds=_folds(score.folds),
        legend=[LegendItem(*pair) for pair in zip(task.colors, task.classes, strict=True)],
        error_legend=_error_legend(task),
        confusion=_confusion(np.sum([image.confusion for image in score.images], axis=0)),
        fold_rows=[_fold_row(score, number, task.classes) for number in score.folds],
        further_tables=tables.further_tables(score),
        micrographs=[
            _micrograph_section(
                image,
                rank,
                truth[image.id],
                submission.maps[image.id],
                task,
                size_plot(diameters[image.id], image.psd, truth[image.id].pixel_size_um, largest_px)
                if image.psd
                else None,
            )
            for rank, image in enumerate(worst_first, start=1)
        ],
        licences=_licences(submission.entries),
        citations=_unique(text for entry in submission.entries for text in entry.citation),
    )


def _licences(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Licences of annotations and of micrographs, which can differ; what is generated has one."""
    kinds: dict[str, FileKind] = {"annotations": "labels", "micrographs": "image"}
    return {
        what: _unique(e.files[kind].licence if e.files else e.licence for e in entries)
        for what, kind in kinds.items()
    }


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _folds(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"fold {numbers[0]}"
    return f"folds {numbers[0]} to {numbers[-1]}"


def _error_legend(task: protocol.Task) -> list[LegendItem]:
    """Name errors of the particles task; elsewhere the colours of the classes say it all."""
    if not task.has_particles:
        return []
    matrix, particle = task.colors
    return [
        LegendItem(HIT_COLOR, "hit"),
        LegendItem(particle, "false positive"),
        LegendItem(matrix, "missed"),
    ]


def _confusion(counts: NDArray[np.int64]) -> list[list[ConfusionCell]]:
    table = []
    for row in counts.tolist():
        whole = sum(row)
        shares = [count / whole if whole else None for count in row]
        table.append(
            [
                ConfusionCell(count, share, round((share or 0.0) * _N_SHADES))
                for count, share in zip(row, shares, strict=True)
            ]
        )
    return table


def _fold_row(score: TaskScore, number: int, classes: tuple[str, ...]) -> FoldRow:
    images = [image for image in score.images if image.fold == number]
    confusions = np.array([image.confusion for image in images])
    tests = [image.psd for image in images if image.psd]
    return FoldRow(
        number=number,
        n_images=len(images),
        score=scoring.conventions(confusions, classes)["paper"],
        n_consistent=sum(test.consistent for test in tests) if tests else None,
    )


def _micrograph_section(
    score: MicrographScore,
    rank: int,
    micrograph: Micrograph,
    predicted: NDArray[np.uint8],
    task: protocol.Task,
    plot: SizePlot | None,
) -> MicrographSection:
    confusion = np.array(score.confusion)
    annotated_shares = confusion.sum(1) / confusion.sum()
    predicted_shares = confusion.sum(0) / confusion.sum()
    n_rows, n_columns = micrograph.labels.shape
    return MicrographSection(
        score=score,
        anchor=_anchor(micrograph.entry),
        rank=rank,
        facts=_facts(micrograph),
        n_rows=n_rows,
        n_columns=n_columns,
        image=_gray(micrograph.image),
        annotation=label_image(micrograph.labels, task.colors),
        prediction=label_image(predicted, task.colors),
        errors=_error_image(micrograph.labels, predicted, task),
        scale_bar=_scale_bar(micrograph.pixel_size_um, n_columns),
        classes=[
            ClassRow(
                name,
                task.colors[label],
                score.classes[name],
                float(annotated_shares[label]),
                float(predicted_shares[label]),
            )
            for label, name in enumerate(task.classes)
        ],
        verdict=_verdict(score.psd) if score.psd else None,
        plot=plot,
    )


def _anchor(entry: Entry) -> str:
    """Name a section so that a link to it needs no escapes."""
    return f"{entry.task}-{re.sub('[^A-Za-z0-9-]+', '-', entry.id)}"


def _facts(micrograph: Micrograph) -> list[str]:
    facts = [f"fold {micrograph.fold}", *_heat_treatment(micrograph.heat_treatment)]
    if micrograph.pixel_size_um is None:
        facts.append("pixel size unknown")
    else:
        facts.append(f"{micrograph.pixel_size_um:g} µm/px")
    if micrograph.filled_rows:
        rows = ", ".join(map(str, micrograph.filled_rows))
        facts.append(f"image row {rows} lost at the source and filled with its neighbour")
    if micrograph.entry.correction is not None:
        rows = ", ".join(map(str, micrograph.filled_label_rows))
        facts.append(f"annotation moved into place; row {rows} filled with its neighbour")
    return facts


def _heat_treatment(treatment: HeatTreatment) -> list[str]:
    parts = []
    if treatment.temperature_c is not None:
        parts.append(f"{treatment.temperature_c:g} °C")
    if treatment.time_h is not None:
        minutes = round(60 * treatment.time_h)
        parts.append(f"{minutes} min" if minutes % 60 else f"{minutes // 60} h")
    if treatment.cooling is not None:
        parts.append(_COOLING.get(treatment.cooling, treatment.cooling))
    return [", ".join(parts)] if parts else []


def label_image(labels: NDArray[np.uint8], colors: Sequence[str]) -> str:
    """Encode a label map in the colours of its classes, as a data URI."""
    return _colored(labels, [_rgba(color) for color in colors])


def _error_image(
    annotated: NDArray[np.uint8], predicted: NDArray[np.uint8], task: protocol.Task
) -> str:
    """Give wrong pixels the colour of the predicted class, and leave correct ones transparent.

    Particles that were hit stay visible: without them the errors have nothing to refer to.
    """
    correct = len(task.classes)
    errors = np.where(annotated == predicted, np.uint8(correct), predicted)
    colors = [*(_rgba(color) for color in task.colors), (0, 0, 0, 0)]
    if task.has_particles:
        errors[(annotated == predicted) & (annotated == protocol.PARTICLE_LABEL)] = correct + 1
        colors.append(_rgba(HIT_COLOR))
    return _colored(errors, colors)


def _rgba(color: str) -> tuple[int, int, int, int]:
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue, 255


def _gray(image: NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG")
    return _data_uri("image/png", stream.getvalue())


def _colored(indices: NDArray[np.uint8], colors: Sequence[tuple[int, int, int, int]]) -> str:
    """Encode a map as lossless WebP, which takes a third less than PNG where a map is noisy."""
    stream = io.BytesIO()
    image = Image.fromarray(np.array(colors, np.uint8)[indices])
    image.save(stream, format="WEBP", lossless=True, method=2, quality=50)
    return _data_uri("image/webp", stream.getvalue())


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def _scale_bar(pixel_um: float | None, n_columns: int) -> ScaleBar | None:
    if pixel_um is None:
        return None
    length_um = max(_round_numbers(pixel_um, n_columns * pixel_um / 4))
    return ScaleBar(length_um / pixel_um / n_columns, f"{length_um:g} µm")


def _round_numbers(low: float, high: float) -> list[float]:
    """Numbers 1, 2, 5, 10, 20, ... between two bounds."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    numbers = [float(f"{digit}e{exponent}") for exponent in exponents for digit in (1, 2, 5)]
    return [number for number in numbers if low <= number <= high]


def _verdict(test: SizeDistributionTest) -> str:
    """Say in words what the Kolmogorov-Smirnov test found."""
    conclusion = "consistent" if test.consistent else "not consistent"
    if test.ks_statistic is None:
        without = "neither map has particles"
        if test.n_true:
            without = "no particles predicted"
        elif test.n_pred:
            without = "no particles annotated"
        return f"{without}: {conclusion}"
    p_value = _p_value(test.p_value)
    relation = "" if p_value.startswith("<") else "= "
    return f"KS {test.ks_statistic:.2f}, p {relation}{p_value}: {conclusion}"


class Diameters:
    """Equivalent circular diameters of the particles of two maps, in pixels."""

    def __init__(self, annotated: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> None:
        self.annotated = _diameters(annotated)
        self.predicted = _diameters(predicted)
        self.largest_px = float(max(self.annotated.max(initial=1), self.predicted.max(initial=1)))


def _diameters(labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.sort(particle_sizes.equivalent_diameters(metrics.particle_areas(labels)))


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
            label=f"KS {test.ks_statistic:.2f}",
            label_x=x(at_px) + (-8 if to_left else 8),
            label_y=_BOTTOM - 58 if in_key else min(bottom + 14, _BOTTOM - 6),
            anchor="end" if to_left else "start",
        )
    ticks_um = []
    if pixel_um is not None:
        lengths = _round_numbers(pixel_um, 10**decades * pixel_um)
        ticks_um = [Tick(x(um / pixel_um), f"{um:g}") for um in lengths]
    return SizePlot(
        width=_PLOT_WIDTH,
        height=_PLOT_HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        ticks_px=[Tick(x(px), f"{px:g}") for px in _round_numbers(1, 10**decades)],
        ticks_um=ticks_um,
        ticks_share=[Tick(y(share), f"{share:g}") for share in (0, 0.25, 0.5, 0.75, 1)],
        annotated=curve(diameters.annotated),
        predicted=curve(diameters.predicted),
        gap=gap,
        n_annotated=test.n_true,
        n_predicted=test.n_pred,
        description=_verdict(test),
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
