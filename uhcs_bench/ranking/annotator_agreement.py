"""The annotator's own agreement, beside which the scores of methods are read.

The only fields that were annotated twice are those that micrographs at two magnifications share.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench.data import dataset, pixels

if TYPE_CHECKING:
    from uhcs_bench.ranking.result_cache import Cache


def annotator_agreement(
    task: str, version: protocol.Version, cache: Cache | None
) -> dict[str, Any] | None:
    """Measure how far two annotations of one field agree.

    Parameters
    ----------
    task : str
    version : str
        Data set version.
    cache : Cache or None

    Returns
    -------
    dict or None
        ``n`` fields, means of ``AC``, ``IU``, ``classes`` (IU by class) and, for particles, ``D``
        with the number of fields ``n_not_rejected``; see
        `uhcs_bench.auditing.repeat_annotation.mean`. None where no field was annotated at two
        magnifications.

    Examples
    --------
    >>> annotator_agreement("particles", "synthetic", None)
    """
    if version == protocol.SYNTHETIC_VERSION:  # its micrographs are generated apart
        return None
    micrographs = dataset.micrographs(dataset.catalogue(task, version))
    key = [task, *(pixels.pixel_sha256(part) for m in micrographs for part in (m.image, m.labels))]
    found = cache.get("annotator agreement", key) if cache is not None else None
    if found is None:
        found = {"agreement": _measured(dataset.load(task, version=version))}
        if cache is not None:
            cache.put("annotator agreement", key, found)
    agreement: dict[str, Any] | None = found["agreement"]
    return agreement


def _measured(annotated: dataset.Dataset) -> dict[str, Any] | None:
    from uhcs_bench.auditing import magnifications, overlaps, repeat_annotation

    searched = magnifications.search(list(annotated)).overlaps
    fields = repeat_annotation.agreement([annotated], overlaps.largest_first(searched)).fields
    mean = repeat_annotation.mean(fields)
    if mean is None:
        return None
    distances = [
        field.sizes.ks_statistic
        for field in fields
        if field.is_across_magnifications
        and field.sizes is not None
        and field.sizes.ks_statistic is not None
    ]
    return {
        "n": mean.n,
        "AC": mean.AC,
        "IU": mean.mean_IU,
        "classes": mean.IU,
        "D": fmean(distances) if distances else None,
        "n_not_rejected": mean.n_consistent,
    }
