"""What is wrong inside the data, recomputed from them: leaks, misplaced annotations, odd sizes.

Nothing here is a list of known faults. Every finding is measured on the micrographs and label maps
that are audited, so that the same audit serves a corrected version of the data.

Overlaps
    Two micrographs that show the same spot are found wherever they overlap, by cross-correlation of
    their gray levels with the local mean taken off. Crops, copies with lost rows, and neighbouring
    fields of view are all the same case.
Fields at two magnifications
    Micrographs of one task with different pixel sizes are compared too, the finer one reduced; see
    `uhcs_bench.auditing.magnifications`.
Misplaced label maps
    Where a label map lies right, its borders run along the edges of its micrograph: border pixels
    correlate best with the magnitude of the gray levels' gradient. How the correlation changes when
    the map is moved tells its shift; in horizontal strips it also tells maps that are stretched.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench._version import __version__
from uhcs_bench.auditing.circumstances import TaskAudit, audit_task
from uhcs_bench.auditing.findings import (
    HEADINGS,
    TIE,
    Finding,
    _search_findings,
    overlap_findings,
    task_findings,
)
from uhcs_bench.auditing.overlaps import Overlap, find_overlaps, largest_first
from uhcs_bench.errors import MissingItemError, UsageError
from uhcs_bench.formatting import abbreviated

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from uhcs_bench.auditing.magnifications import Fit
    from uhcs_bench.data.dataset import Dataset

SCHEMA = "uhcs-bench/audit/2"


@dataclass(frozen=True)
class Audit:
    """All that an audit found.

    Attributes
    ----------
    dataset_version : str
    tasks : tuple of TaskAudit
    overlaps : tuple of Overlap
        Within and across tasks, and within tasks across magnifications; largest first.
    n_pairs_of_magnifications : int
        Pairs of micrographs that were compared across magnifications.
    best_unrelated : Fit or None
        Of the pairs across magnifications that do not show the same field, the one that comes
        nearest to the correlation needed.
    findings : tuple of Finding
        The same in words, worst first.
    uhcs_bench : str
        Version of the package.
    schema : str
    """

    dataset_version: str
    tasks: tuple[TaskAudit, ...]
    overlaps: tuple[Overlap, ...]
    n_pairs_of_magnifications: int
    best_unrelated: Fit | None
    findings: tuple[Finding, ...]
    uhcs_bench: str = __version__
    schema: str = SCHEMA

    __repr__ = abbreviated

    def __getitem__(self, task: str) -> TaskAudit:
        """Pick a task by its name or alias.

        Raises
        ------
        MissingItemError
            If it was not audited.
        """
        name = protocol.task(task).name
        for audited in self.tasks:
            if audited.task == name:
                return audited
        known = ", ".join(audited.task for audited in self.tasks)
        raise MissingItemError(f"{name} was not audited. The tasks of this audit are {known}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; None where undefined."""
        content = asdict(self)
        return {"schema": content.pop("schema"), **content}

    def to_json(self) -> str:
        """Text of the machine-readable form."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_text(self) -> str:
        """Text for a terminal, at most 80 columns wide: findings by kind, worst first."""
        lines = [f"Audit of data set version {self.dataset_version}", ""]
        for task in self.tasks:
            shares = ", ".join(
                f"{name} {100 * (share or 0):.1f} %" for name, share in task.shares.items()
            )
            counts = f"{task.n} micrographs, {task.n_distinct} of them distinct"
            lines.append(_filled(f"{task.task}: {counts}; {shares} of the pixels"))
        for kind, heading in HEADINGS.items():
            found = [finding for finding in self.findings if finding.kind == kind]
            if found:
                lines += ["", heading, *(_filled(f"- {finding.sentence}") for finding in found)]
        if not self.findings:
            lines += ["", "Nothing was found that a user has to know."]
        return "\n".join(lines)


def _filled(text: str) -> str:
    # ids keep their hyphens, and what belongs together its spaces, on one line
    filled = fill(text, width=80, subsequent_indent="  ", break_on_hyphens=False)
    return filled.replace(TIE, " ")


def audit(datasets: Iterable[Dataset]) -> Audit:
    """Recompute from the data what a user has to know of them.

    Parameters
    ----------
    datasets : iterable of Dataset
        One or both tasks, of one version.

    Returns
    -------
    Audit

    Raises
    ------
    UsageError
        If there is no data set, a task comes twice, or versions differ.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> found = audit([load("particles", version="synthetic")])
    >>> found["particles"].n_distinct, found.overlaps
    (24, ())
    """
    from uhcs_bench.auditing import magnifications

    audited = tuple(datasets)
    _check(audited)
    micrographs = [micrograph for dataset in audited for micrograph in dataset]
    searched = magnifications.search(micrographs)
    overlaps = largest_first([*find_overlaps(micrographs), *searched.overlaps])
    tasks = tuple(audit_task(dataset, overlaps) for dataset in audited)
    findings = [*overlap_findings(overlaps, tasks), *_search_findings(searched)]
    for task in tasks:
        findings += task_findings(task)
    order = list(HEADINGS)
    findings.sort(key=lambda finding: order.index(finding.kind))
    return Audit(
        audited[0].version,
        tasks,
        overlaps,
        searched.n_pairs,
        searched.best_unrelated,
        tuple(findings),
    )


def _check(datasets: Sequence[Dataset]) -> None:
    if not datasets:
        raise UsageError(
            "There is no data set to audit. Give one or more, such as uhcs_bench.load('particles')."
        )
    names = [dataset.task.name for dataset in datasets]
    if len(set(names)) < len(names):
        raise UsageError(f"A task is named twice: {', '.join(names)}.")
    versions = sorted({dataset.version for dataset in datasets})
    if len(versions) > 1:
        raise UsageError(f"Only one data set version can be audited, not {' and '.join(versions)}.")
