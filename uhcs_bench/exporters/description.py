"""Sentences on the data sets that all standard descriptions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench.data import dataset, registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uhcs_bench.auditing.audit import Audit
    from uhcs_bench.data.registry import Entry

NAME = "uhcs-bench"
TITLE = "UHCS benchmark: annotated micrographs of ultrahigh-carbon steel"
URL = "https://hdl.handle.net/11256/964"
"""Of the deposit. Its host has stopped answering; the handle stays its name."""

PUBLISHED = "2019-01-01"
"""The paper's year; the deposit's own date is not known."""

CREATORS = ("Brian L. DeCost", "Bo Lei", "Toby Francis", "Elizabeth A. Holm")
KEYWORDS = ("metallography", "microstructure", "segmentation", "steel", "electron microscopy")

SUMMARIES: dict[protocol.TaskName, str] = {
    "particles": (
        "Scanning electron micrographs of spheroidised ultrahigh-carbon steel, in which every "
        "pixel is annotated as matrix or cementite particle."
    ),
    "microconstituents": (
        "Scanning electron micrographs of ultrahigh-carbon steel, in which every pixel is "
        "annotated as one of four microconstituents: ferritic matrix, proeutectoid cementite "
        "network, spheroidite, Widmanstatten laths."
    ),
}


USES = (
    "Training and scoring of segmentation methods by six-fold cross-validation, as in the paper. "
    "Every number should name the task, the data set version, the split and the scoring "
    "convention; `uhcs-bench score` prints all four."
)
LIMITS = (
    "The sets are too small to show that a method works on other steels, other microscopes or "
    "other magnifications. With 24 micrographs most differences between methods are not "
    "significant."
)
ANNOTATION = (
    "The paper's authors annotated the micrographs: microconstituents by hand, particles half "
    "automatically."
)
PREPROCESSING = (
    "This package cuts the instrument's data bar off, brings image and label map into 8 bit, and "
    "fills rows that no copy has; it changes nothing else."
)


def entries(task: str | None = None) -> dict[protocol.TaskName, tuple[Entry, ...]]:
    """List the deposit's micrographs by task, in the order of the paper's folds.

    They are those of one task, named by its name or alias, or of both.

    Examples
    --------
    >>> {name: len(listed) for name, listed in entries("uhcs").items()}
    {'microconstituents': 24}
    """
    names = list(protocol.TASKS) if task is None else [protocol.task(task).name]
    return {name: registry.entries(name) for name in names}


def audited(task: str | None = None) -> Audit:
    """Audit version 1.0 of one task or both; micrographs that the cache lacks are fetched."""
    from uhcs_bench.auditing import audit

    return audit.audit(dataset.load(name) for name in entries(task))


def licences(listed: Iterable[Entry]) -> list[str]:
    """List the licences of all files of these micrographs, each once, sorted.

    Examples
    --------
    >>> licences(registry.entries("particles"))[0]
    'CC BY 3.0 US (https://creativecommons.org/licenses/by/3.0/us/)'
    """
    return sorted({file.licence for entry in listed for file in entry.files.values()})


def licence_url(licence: str) -> str:
    """Address of a licence, from its text in the registry.

    Examples
    --------
    >>> licence_url("CC BY 3.0 US (https://creativecommons.org/licenses/by/3.0/us/)")
    'https://creativecommons.org/licenses/by/3.0/us/'
    """
    return licence.partition("(")[2].removesuffix(")")


def citations(listed: Iterable[Entry]) -> list[str]:
    """List what to cite when these micrographs are used, each once, the paper first."""
    return list(dict.fromkeys(text for entry in listed for text in entry.citation))
