"""Findings of the audit as sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from uhcs_bench import protocol
from uhcs_bench.auditing.circumstances import SMALL_PARTICLE_PX, ParticleCounts, TaskAudit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from uhcs_bench.auditing.magnifications import Search
    from uhcs_bench.auditing.overlaps import Overlap
    from uhcs_bench.auditing.registration import Registration


TIE = "\N{NO-BREAK SPACE}"


Kind = Literal[
    "duplicate",
    "overlap",
    "two magnifications",
    "shared micrograph",
    "shifted labels",
    "drifting labels",
    "sample in several folds",
    "pixel size conflict",
    "pixel size unknown",
    "border particles",
    "specks",
    "connectivity",
    "absent classes",
    "filled rows",
]


HEADINGS: dict[Kind, str] = {
    "duplicate": "Duplicates",
    "overlap": "Overlapping fields of view",
    "two magnifications": "Fields seen at two magnifications",
    "shared micrograph": "Micrographs in both tasks",
    "shifted labels": "Shifted label maps",
    "drifting labels": "Stretched label maps",
    "sample in several folds": "Samples and heat treatments in several folds",
    "pixel size conflict": "Conflicting pixel sizes",
    "pixel size unknown": "Unknown pixel sizes",
    "border particles": "Particles that touch the border",
    "specks": "Specks",
    "connectivity": "Connectivity",
    "absent classes": "Absent classes",
    "filled rows": "Filled rows",
}
"""Worst first: leaks falsify any score, misplaced labels some, the rest has to be known."""


@dataclass(frozen=True)
class Finding:
    """A finding in words.

    Attributes
    ----------
    kind : str
    ids : tuple of str
        Micrographs concerned.
    sentence : str
        What was found, and what it means for a user.
    """

    kind: Kind
    ids: tuple[str, ...]
    sentence: str

    @property
    def heading(self) -> str:
        """Heading of all findings of this kind."""
        return HEADINGS[self.kind]


def overlap_findings(overlaps: Sequence[Overlap], tasks: Sequence[TaskAudit]) -> Iterator[Finding]:
    """Describe overlapping micrographs."""
    n = {task.task: (task.n, task.n_distinct) for task in tasks}
    for overlap in overlaps:
        ids = (overlap.a, overlap.b)
        place = _place(overlap)
        if overlap.is_across_tasks:
            (a, b), (task_a, task_b) = ids, overlap.tasks
            yield Finding(
                "shared micrograph",
                ids,
                f"{a} ({task_a}, fold {overlap.folds[0]}) and {b} ({task_b}, fold "
                f"{overlap.folds[1]}) {place}: a model trained on one task has seen a micrograph "
                "of the other; leave it out, or put both into the same fold, before combining "
                "the tasks.",
            )
            continue
        labels = "all labels there agree"
        if overlap.equal_labels is not None and overlap.equal_labels < 1:
            labels = f"{100 * overlap.equal_labels:.1f} % of the labels there agree"
        consequence = "both are in one fold, so that nothing leaks"
        if overlap.is_leak:
            consequence = "training on one and validating on the other is a leak"
        if overlap.is_same_spot:
            total, distinct = n[overlap.tasks[0]]
            consequence += f"; the effective n of {overlap.tasks[0]} is {distinct}, not {total}"
        kind: Kind = "duplicate" if overlap.is_same_spot else "overlap"
        if overlap.is_across_magnifications:
            kind = "two magnifications"
        yield Finding(
            kind,
            ids,
            f"{overlap.a} (fold {overlap.folds[0]}) and {overlap.b} (fold {overlap.folds[1]}) "
            f"{place}, and {labels}: {consequence}.",
        )


def _place(overlap: Overlap) -> str:
    rows, columns = overlap.shape
    if overlap.is_across_magnifications:
        expected = ""
        if overlap.expected_scale is not None:
            expected = f", {overlap.expected_scale:.3f} by the pixel sizes"
        (top, bottom), (left, right) = overlap.rows, overlap.columns
        return (
            f"show the same field at two magnifications: {100 * overlap.share:.0f} % of the second "
            f"lies in rows {top} to {bottom - 1} and columns {left} to {right - 1} of the first "
            f"(scale {overlap.scale:.3f}{expected}; correlation {overlap.correlation:.2f})"
        )
    if overlap.equal_pixels == 1 and overlap.share == 1:
        if not any(overlap.offset):
            return f"hold the same pixels in {rows} rows and {columns} columns"
        return (
            f"hold the same pixels in {rows} rows and {columns} columns, the second at row "
            f"{overlap.offset[0]} and column {overlap.offset[1]} of the first"
        )
    return (
        f"show the same spot in {rows} rows and {columns} columns ({100 * overlap.share:.0f} %, "
        f"correlation {overlap.correlation:.2f})"
    )


def task_findings(task: TaskAudit) -> Iterator[Finding]:
    """Describe a task's findings."""
    yield from _registration_findings(task)
    yield from _circumstance_findings(task)
    if task.particles:
        yield from _particle_findings(task.particles)


def _registration_findings(task: TaskAudit) -> Iterator[Finding]:
    if task.misplaced:
        shifted = [found for found in task.registrations if found.is_shifted]
        drifting_too = [found for found in task.registrations if found.is_drifting]
        both = [found for found in shifted if found.is_drifting]
        yield Finding(
            "shifted labels",
            task.misplaced,
            f"{len(task.misplaced)} of {task.n} {_adjective(task)} label maps are off: "
            f"{len(shifted)} shifted, {len(drifting_too)} stretched, {len(both)} of them both.",
        )
    shifts: dict[tuple[int, int], list[Registration]] = {}
    for found in task.registrations:
        if found.is_shifted:
            shifts.setdefault(found.best_shift, []).append(found)
    for shift, group in sorted(shifts.items(), key=lambda item: -math.hypot(*item[0])):
        gains = ", ".join(
            f"{found.id}{TIE}({found.correlation:.2f}{TIE}->{TIE}{found.best_correlation:.2f})"
            for found in sorted(group, key=lambda found: found.id)
        )
        ious = [found.iu_if_moved for found in group if found.iu_if_moved is not None]
        meaning = "scores there reward the same displacement"
        if ious:
            span = f"{min(ious):.2f}"
            if max(ious) - min(ious) >= 0.01:
                span += f" to {max(ious):.2f}"
            meaning = (
                f"a perfect segmentation scores a particle IU of about {span} there (the map "
                "against itself moved)"
            )
        plural = "label maps fit" if len(group) > 1 else "label map fits"
        yield Finding(
            "shifted labels",
            tuple(found.id for found in group),
            f"{len(group)} {_adjective(task)} {plural} best after a move {_in_words(shift)} "
            f"(correlation of borders and edges before and after): {gains}; {meaning}.",
        )
    drifting = sorted((f for f in task.registrations if f.is_drifting), key=lambda f: f.id)
    if drifting:
        drifts = ", ".join(f"{f.id}{TIE}({_pm(f.drift)})" for f in drifting)
        plural = "maps" if len(drifting) > 1 else "map"
        yield Finding(
            "drifting labels",
            tuple(f.id for f in drifting),
            f"{len(drifting)} {_adjective(task)} label {plural} drift from top to bottom, in rows: "
            f"{drifts}; no single shift puts a stretched map right.",
        )
    for id_, rows in task.repeated_rows.items():
        yield Finding(
            "drifting labels",
            (id_,),
            f"The label map of {id_} repeats the row above in row {_and(rows)}, as a map does that "
            "was stretched by nearest neighbours.",
        )


def _in_words(shift: tuple[int, int]) -> str:
    parts: list[str] = []
    for pixels, unit, ways in (
        (shift[0], "row", ("down", "up")),
        (shift[1], "column", ("right", "left")),
    ):
        if pixels:
            count = f"{abs(pixels)} {unit}{'s' if abs(pixels) > 1 else ''}"
            parts.append(f"{count} {ways[pixels < 0]}")
    return " and ".join(parts)


def _pm(estimate: tuple[float, float] | None) -> str:
    return "" if estimate is None else f"{estimate[0]:+.2f}{TIE}±{TIE}{estimate[1]:.2f}"


def _circumstance_findings(task: TaskAudit) -> Iterator[Finding]:
    if task.samples:
        ids = tuple(id_ for span in task.samples for id_ in span.ids)
        spans = ", ".join(
            f"{span.sample.replace(' ', TIE)} in folds {_and(span.folds)}" for span in task.samples
        )
        unknown = ""
        if task.n_without_sample:
            unknown = (
                f"; the sample of {task.n_without_sample} isn't on record, and may be any one with "
                "their heat treatment"
            )
        yield Finding(
            "sample in several folds",
            ids,
            f"{len(ids)} of {task.n} {_micrographs(task)} are from samples or heat treatments that "
            f"several folds share: {spans}{unknown}. The folds measure how a method does on "
            "samples that it knows, not on new ones.",
        )
    if task.pixel_sizes:
        largest = max(conflict.ratio for conflict in task.pixel_sizes)
        yield Finding(
            "pixel size conflict",
            tuple(conflict.id for conflict in task.pixel_sizes),
            f"Sources contradict each other on the pixel size of {len(task.pixel_sizes)} of "
            f"{task.n_comparable_pixel_sizes} {_micrographs(task)}, by a factor of "
            f"up to {largest:.1f}: {_listing(conflict.id for conflict in task.pixel_sizes)}; take "
            "sizes in um from pixel_size_um alone.",
        )
    if task.pixel_size_unknown:
        yield Finding(
            "pixel size unknown",
            task.pixel_size_unknown,
            f"No trustworthy source knows the pixel size of {len(task.pixel_size_unknown)} of "
            f"{task.n} {_micrographs(task)}: {_listing(task.pixel_size_unknown)}; they have no "
            "sizes in um.",
        )
    for id_, absent in task.absent.items():
        yield Finding(
            "absent classes",
            (id_,),
            f"{id_} has no {_and(absent, 'or')}: a single pixel predicted as an absent class "
            "counts as IU 0 in the paper's convention.",
        )
    if task.filled_rows:
        rows = sorted({row for filled in task.filled_rows.values() for row in filled})
        yield Finding(
            "filled rows",
            tuple(task.filled_rows),
            f"Row {_and(rows)} of {len(task.filled_rows)} {_micrographs(task)} is lost and "
            f"repeats its neighbour: {_listing(task.filled_rows)}; a prediction there has no gray "
            "level of its own to go by.",
        )
    if task.filled_label_rows:
        counts = [len(filled) for filled in task.filled_label_rows.values()]
        yield Finding(
            "filled rows",
            tuple(task.filled_label_rows),
            f"{len(counts)} {_adjective(task)} label maps were moved into place, so that "
            f"{sum(counts)} of their rows repeat a neighbour, up to {max(counts)} in one: "
            f"{_listing(task.filled_label_rows)}.{what_is_left(task)}",
        )


def _adjective(task: TaskAudit) -> str:
    return task.task.removesuffix("s")


def _micrographs(task: TaskAudit) -> str:
    return f"{_adjective(task)} micrographs"


def _listing(ids: Iterable[str]) -> str:
    return ", ".join(sorted(ids))


def _and(items: Iterable[object], word: str = "and") -> str:
    *others, last = map(str, items)
    return f"{', '.join(others)} {word} {last}" if others else last


def _particle_findings(counts: Sequence[ParticleCounts]) -> Iterator[Finding]:
    touching = [c for c in counts if c.n_border]
    if touching:
        most = max(touching, key=lambda c: c.n_border)
        yield Finding(
            "border particles",
            tuple(c.id for c in touching),
            f"{len(touching)} of {len(counts)} particle maps have some, "
            f"{sum(c.n_border for c in touching)} in all, most in {most.id} ({most.n_border}): "
            "their sizes are cut short, and count as they are.",
        )
    specks = [c for c in counts if c.n_small]
    if specks:
        ones = [c.n_one_pixel for c in counts]
        single = f", and {min(ones)} to {max(ones)} of a single pixel" if any(ones) else ""
        worst = max(specks, key=lambda c: c.n_small / c.n)
        yield Finding(
            "specks",
            tuple(c.id for c in specks),
            f"{len(specks)} of {len(counts)} particle maps have particles of {SMALL_PARTICLE_PX} "
            f"pixels or fewer, at worst {worst.n_small} of {worst.n} ({worst.id}){single}: finding "
            "or missing specks can decide the KS score.",
        )
    changed = [c for c in counts if c.connectivity_change]
    if changed:
        most = max(changed, key=lambda c: c.connectivity_change)
        yield Finding(
            "connectivity",
            tuple(c.id for c in changed),
            f"With 4 instead of 8 neighbours {len(changed)} of {len(counts)} particle maps have "
            f"more particles, up to {100 * most.connectivity_change:.0f} % ({most.id}: "
            f"{most.n_four_neighbours} instead of {most.n}): use the protocol's "
            f"{protocol.CONNECTIVITY}.",
        )


def _search_findings(searched: Search) -> Iterator[Finding]:
    """Say how clear the finds are, and what they say about the pixel sizes."""
    if not searched.overlaps:
        return
    other = ""
    if searched.best_unrelated is not None:
        fit = searched.best_unrelated
        other = (
            f" The best other pair, {fit.fine} in {fit.coarse}, reaches {fit.correlation:.2f}; "
            f"{fit.needed:.2f} is needed."
        )
    ratios = [o.scale / o.expected_scale for o in searched.overlaps if o.expected_scale is not None]
    bars = ""
    if ratios:
        largest = max(abs(ratio - 1) for ratio in ratios)
        bars = (
            " The scales found differ from the ratios of pixel_size_um by at most "
            f"{100 * largest:.1f} %."
        )
    n_found = len(searched.overlaps)
    yield Finding(
        "two magnifications",
        (),
        f"{n_found} of {searched.n_pairs} pairs across magnifications show the same field, with "
        f"correlations from {min(o.correlation for o in searched.overlaps):.2f} on.{other}{bars}",
    )


def what_is_left(task: TaskAudit) -> str:
    """Largest shift that moving maps by whole rows left."""
    left = [
        (abs(found.rows[0]), found)
        for found in task.registrations
        if found.id in task.filled_label_rows and found.rows is not None
    ]
    if not left:
        return ""
    most, found = max(left, key=lambda item: item[0])
    return f" In the middle of the map up to {most:.2f} row is left ({found.id})."
