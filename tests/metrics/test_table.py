"""Every row of the table of metrics is shown, written and computed."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from uhcs_bench import protocol
from uhcs_bench.metrics.pair import MapPair
from uhcs_bench.metrics.table import (
    CLASS_SCORES,
    MEASURES,
    OVERALL_SCORES,
    RANKED_SCORES,
    SCORES,
)
from uhcs_bench.scoring.results import ClassMeans, ClassScore, ConventionScore, MicrographScore

CONFUSIONS = np.random.default_rng(0).integers(1, 50, (5, 3, 3))


def names(scores):
    return {score.name for score in scores}


def test_results_have_a_field_for_each_score():
    """Check the data classes of the results against the table."""
    assert names(fields(ClassMeans)) == names(fields(ClassScore)) == names(CLASS_SCORES)
    assert names(fields(ConventionScore)) - {"classes"} == names(OVERALL_SCORES)
    assert names(OVERALL_SCORES) <= names(fields(MicrographScore))


def test_names_are_unique():
    """Check that no row hides another in the output."""
    assert len(names(SCORES)) == len(SCORES)
    places = [(*m.group, "classes" if m.per_class else "", m.name) for m in MEASURES]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_scores_are_fractions_of_a_stack(score):
    """Check shape and range for a stack of matrices."""
    values = score.function(CONFUSIONS)
    assert values.shape == ((5, 3) if score.per_class else (5,))
    assert ((values >= 0) & (values <= 1)).all()
    perfect = score.function(np.diag([3, 2, 1]))
    assert (perfect == 1).all()


def test_overall_scores_exist():
    """Check that tables find the score that stands below those of the classes."""
    assert {score.overall for score in SCORES} - {None} <= names(OVERALL_SCORES)


def test_ranked_scores_stand_by_their_rank():
    """Check that ranks are 1, 2 and so on, of scores over all classes, the paper's two first."""
    assert [score.rank for score in RANKED_SCORES] == [*range(1, len(RANKED_SCORES) + 1)]
    assert set(RANKED_SCORES) == {score for score in SCORES if score.rank is not None}
    assert [score.name for score in RANKED_SCORES[:2]] == ["IU", "AC"]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: "-".join((*m.group, m.name)))
def test_measures_of_equal_maps_are_perfect(measure):
    """Check that equal maps have the best value, for each class or once."""
    labels = np.zeros((30, 40), np.uint8)
    labels[5, 10:12] = labels[:, :10] = 1
    task = protocol.task("particles" if measure.structure == "particles" else "microconstituents")
    if measure.structure != "particles":
        labels[:, 16:] = 2
    assert measure.applies_to(task)
    pair = MapPair(labels, labels.copy(), len(task.classes), 0.1)
    values = np.atleast_1d(measure.function(pair))
    assert values.shape == ((len(task.classes),) if measure.per_class else (1,))
    if measure.better is not None:
        assert np.nanmax(np.abs(values - (measure.better == "higher"))) == 0
