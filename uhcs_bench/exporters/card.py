"""Dataset card in the form of Hugging Face.

The text is ``card.md.jinja``; its front matter and everything in it that is a fact come from
the registry and from `uhcs_bench.auditing.audit`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from uhcs_bench import protocol
from uhcs_bench._version import __version__
from uhcs_bench.exporters import description
from uhcs_bench.web import templates

if TYPE_CHECKING:
    from uhcs_bench.auditing.audit import Audit


def card(task: str | None = None) -> str:
    """Write the dataset card of version 1.0, with what an audit of the data finds now.

    Micrographs that the cache does not have are fetched.

    Parameters
    ----------
    task : str, optional
        Name or alias of a task; both tasks without it.

    Returns
    -------
    str
        Markdown with YAML front matter.

    Raises
    ------
    UsageError
        If there is no such task.
    DataUnavailableError
        If a micrograph could not be had from any source.
    """
    return render(description.audited(task))


def render(audited: Audit) -> str:
    """Write the card of data that have been audited already.

    Parameters
    ----------
    audited : Audit
        Of version 1.0, one or both tasks.

    Returns
    -------
    str
        Markdown with YAML front matter, without a newline at its end.
    """
    names = [task.task for task in audited.tasks]
    entries = {name: description.entries(name)[name] for name in names}
    every = [entry for listed in entries.values() for entry in listed]
    licences = description.licences(every)
    front_matter = {
        "pretty_name": description.TITLE,
        "license": [hub_licence(text) for text in licences],
        "task_categories": ["image-segmentation"],
        "task_ids": ["semantic-segmentation"],
        "annotations_creators": ["expert-generated"],
        "size_categories": ["n<1K"],
        "source_datasets": ["original"],
        "tags": list(description.KEYWORDS),
    }
    return templates.render(
        "exporters/card.md.jinja",
        # A JSON value is a YAML value.
        front_matter={key: json.dumps(value) for key, value in front_matter.items()},
        title=description.TITLE,
        name=description.NAME,
        url=description.URL,
        version=audited.dataset_version,
        package_version=__version__,
        tasks=[protocol.TASKS[name] for name in names],
        audited={task.task: task for task in audited.tasks},
        summaries=description.SUMMARIES,
        entries=entries,
        splits=protocol.SPLITS,
        licences=licences,
        licence_url=description.licence_url,
        findings=audited.findings,
        uses=description.USES,
        limits=description.LIMITS,
        annotation=description.ANNOTATION,
        preprocessing=description.PREPROCESSING,
        citations=description.citations(every),
    )


def hub_licence(licence: str) -> str:
    """Hugging Face's identifier of a Creative Commons licence, which leaves out the country.

    Examples
    --------
    >>> hub_licence("CC BY-SA 3.0 US (https://creativecommons.org/licenses/by-sa/3.0/us/)")
    'cc-by-sa-3.0'
    """
    _, _, path = description.licence_url(licence).partition("/licenses/")
    return "cc-" + "-".join(re.findall(r"[^/]+", path)[:2])
