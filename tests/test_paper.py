"""Numbers of the paper."""

from __future__ import annotations

from uhcs_bench import paper


def test_reported_numbers_are_those_of_the_tables():
    """Check scores of three methods against Tables 1 and 4."""
    (otsu, pixelnet) = paper.reported("particles")
    assert (otsu.IU.mean, otsu.IU.is_deviation, otsu.ks_score) == (69.9, True, None)
    assert (pixelnet.classes["particle"].mean, pixelnet.ks_score.mean) == (54.8, 4.2)
    (focal,) = paper.reported("microconstituents")
    assert (focal.method, focal.table, focal.AC.mean) == ("pixelnet-focal", "Table 1", 86.5)
