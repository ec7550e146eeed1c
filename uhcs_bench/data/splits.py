"""The rules behind the splits: which micrographs stand in which fold, beside the paper's own folds.

The paper's folds are kept as they are, but two things in them make scores look better than a method
is. Some micrographs of different folds show the same steel, so that a model is validated on what it
was trained on. And micrographs of one heat-treated sample stand in several folds, so that the
scores tell nothing about steel that a model hasn't seen.

``clean``
    The paper's folds less every micrograph that shows steel which an earlier one of another fold
    shows too, wholly or in part, at the same or at another magnification. It is left out
    altogether, from training as well: as training micrograph it would still show the earlier one's
    fold what is validated there.
``grouped``
    The micrographs of ``clean``, dealt out anew so that no sample stands in two folds. The largest
    group comes first, each goes to the fold that has the fewest micrographs so far. Where there are
    fewer groups than the paper has folds, there are fewer folds.

How much a method gains from more annotated micrographs is measured on nested subsets of each fold's
training micrographs, the first 1, 2, 4, 8 or 16 of `training_order`.

What shows the same steel is measured, see `uhcs_bench.auditing.overlaps.find_overlaps` and
`uhcs_bench.auditing.magnifications.search`. The outcome is
``data/splits.json``, written by ``python -m tools.write_splits``.
"""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING

from uhcs_bench import protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from uhcs_bench.auditing.overlaps import Overlap
    from uhcs_bench.data.registry import Entry

TRAIN_SIZES = (1, 2, 4, 8, 16)
"""Numbers of training micrographs that subsets have."""


def training_order(ids: Iterable[str], fold: int) -> list[str]:
    """Order a fold's training micrographs; subsets are the first so many.

    They are sorted by the SHA-256 of ``"<fold> <id>"``: an order without meaning that nobody has
    chosen and that every language can compute. A micrograph that a split leaves out changes nothing
    in the order of the others.

    Parameters
    ----------
    ids : iterable of str
        All training micrographs of the fold.
    fold : int

    Returns
    -------
    list of str
        At most as many as the largest of `TRAIN_SIZES`.

    Examples
    --------
    >>> training_order(["a", "b", "c"], 0), training_order(["a", "b", "c"], 1)
    (['b', 'a', 'c'], ['c', 'a', 'b'])
    >>> training_order(["a", "c"], 0)
    ['a', 'c']
    """

    def key(name: str) -> str:
        return hashlib.sha256(f"{fold} {name}".encode()).hexdigest()

    return sorted(ids, key=key)[: max(TRAIN_SIZES)]


def clean(entries: Sequence[Entry], overlaps: Collection[Overlap]) -> list[list[str]]:
    """Leave out what an earlier micrograph of another fold shows too.

    Parameters
    ----------
    entries : sequence of Entry
        Micrographs of one task in the paper's folds, in their order.
    overlaps : collection of Overlap
        Pairs that show the same spot; those with other micrographs don't matter.

    Returns
    -------
    list of list of str
        Ids of each fold, in the order of `entries`.

    Examples
    --------
    >>> from uhcs_bench.data import registry
    >>> [len(fold) for fold in clean(registry.entries("particles"), ())]
    [4, 4, 4, 4, 4, 4]
    """
    kept = _without_leaks(entries, overlaps)
    n_folds = 1 + max((entry.fold for entry in entries), default=-1)
    return [[entry.id for entry in kept if entry.fold == fold] for fold in range(n_folds)]


def grouped(entries: Sequence[Entry], overlaps: Collection[Overlap]) -> list[list[str]]:
    """Deal the micrographs of `clean` out so that no sample stands in two folds.

    Parameters
    ----------
    entries : sequence of Entry
        Micrographs of one task in the paper's folds, in their order.
    overlaps : collection of Overlap
        Pairs that show the same spot, and thus the same sample, whatever is recorded of it.

    Returns
    -------
    list of list of str
        Ids of each fold, in the order of `entries`. At most as many folds as the paper has.

    Examples
    --------
    >>> from uhcs_bench.data import registry
    >>> folds = grouped(registry.entries("particles"), ())
    >>> folds[0]
    ['800C-24H-Q-7', '800C-24H-Q-3', '800C-24H-Q-1', ...]
    >>> len(folds)  # of 3, 8, 24 and 85 hours at 800 degrees, and 5 minutes at 970
    5
    """
    kept = _without_leaks(entries, overlaps)
    largest_first = sorted(groups(kept, overlaps), key=len, reverse=True)  # equal ones as they come
    folds: list[set[str]] = [set() for _ in range(min(len(largest_first), protocol.N_FOLDS))]
    for group in largest_first:
        min(folds, key=len).update(group)
    return [[entry.id for entry in kept if entry.id in fold] for fold in folds]


def of_one_sample(a: Entry, b: Entry) -> bool:
    """Say whether two micrographs must be taken for those of one heat-treated sample.

    Where the sample of either isn't on record, the same temperature and time make them so: nothing
    proves that they are different. How it was cooled doesn't tell them apart, since the deposit's
    names write Q for samples that UHCSDB has as WQ. A micrograph of which nothing is recorded
    counts as a sample of its own.

    Examples
    --------
    >>> from uhcs_bench.data import registry
    >>> a, b = (e for e in registry.entries("particles") if e.id in ("800C-8H-Q-1", "800C-8H-Q-4"))
    >>> a.heat_treatment.sample, b.heat_treatment.sample, of_one_sample(a, b)
    (None, 'AC 800C 8H WQ', True)
    """
    first, second = a.heat_treatment, b.heat_treatment
    if first.sample is not None and second.sample is not None:
        return first.sample == second.sample
    conditions = [(heat.temperature_c, heat.time_h) for heat in (first, second)]
    return None not in conditions[0] and conditions[0] == conditions[1]


def _pairs(overlaps: Collection[Overlap]) -> set[frozenset[str]]:
    return {frozenset((overlap.a, overlap.b)) for overlap in overlaps}


def _without_leaks(entries: Sequence[Entry], overlaps: Collection[Overlap]) -> list[Entry]:
    pairs = _pairs(overlaps)
    kept: list[Entry] = []
    for entry in entries:
        if not any(
            frozenset((entry.id, earlier.id)) in pairs and entry.fold != earlier.fold
            for earlier in kept
        ):
            kept.append(entry)
    return kept


def groups(entries: Sequence[Entry], overlaps: Collection[Overlap]) -> list[set[str]]:
    """Group the ids that have to stay together, by the place of the first.

    Two samples have to as well, if a third micrograph may be of either.

    Parameters
    ----------
    entries : sequence of Entry
    overlaps : collection of Overlap
        Pairs that show the same spot, and thus the same sample.

    Returns
    -------
    list of set of str

    Examples
    --------
    >>> from uhcs_bench.data import registry
    >>> [len(group) for group in groups(registry.entries("particles"), ())]
    [5, 7, 5, 3, 4]
    """
    pairs = _pairs(overlaps)
    group_of = {entry.id: {entry.id} for entry in entries}
    for a, b in combinations(entries, 2):
        if of_one_sample(a, b) or frozenset((a.id, b.id)) in pairs:
            joined = group_of[a.id] | group_of[b.id]
            group_of.update(dict.fromkeys(joined, joined))
    found: list[set[str]] = []
    for group in group_of.values():
        if group not in found:
            found.append(group)
    return found


def sample_numbers(entries: Sequence[Entry]) -> list[int]:
    """Return a number of each micrograph's heat-treated sample, one number for one sample.

    Parameters
    ----------
    entries : sequence of Entry

    Returns
    -------
    list of int
        One number for each entry, from 0 on; see `of_one_sample`.

    Examples
    --------
    >>> from uhcs_bench.data import registry
    >>> sample_numbers(registry.entries("particles"))[:6]
    [0, 1, 1, 0, 2, 0]
    """
    number = {name: index for index, group in enumerate(groups(entries, ())) for name in group}
    return [number[entry.id] for entry in entries]
