"""An annotated and a predicted label map of one micrograph, with what several measures need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.metallography import components
from uhcs_bench.metrics import particle_sizes
from uhcs_bench.metrics.confusion import confusion_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from uhcs_bench.metallography.denuded_zone import UnobstructedWidths
    from uhcs_bench.metallography.labels import LabelMap
    from uhcs_bench.metrics.instances import InstanceScores
    from uhcs_bench.metrics.particle_sizes import SizeErrors


@dataclass(frozen=True, eq=False)  # arrays don't compare as a whole
class MapPair:
    """Two label maps of one micrograph; what is computed from them is computed once.

    Attributes
    ----------
    annotated, predicted : ndarray of uint8, shape (rows, columns)
        Class labels from 0 to `n_classes` - 1.
    n_classes : int
    pixel_size_um : float or None
        Edge of a pixel in micrometres.

    Examples
    --------
    >>> annotated = np.array([[0, 0, 1, 1]], np.uint8)
    >>> predicted = np.array([[0, 1, 1, 1]], np.uint8)
    >>> MapPair(annotated, predicted, n_classes=2).confusion
    array([[1, 1],
           [0, 2]])
    """

    annotated: LabelMap
    predicted: LabelMap
    n_classes: int
    pixel_size_um: float | None = None

    @property
    def scale(self) -> float:
        """Micrometres per pixel; NaN where unknown."""
        return np.nan if self.pixel_size_um is None else self.pixel_size_um

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Pixels by annotated (row) and predicted (column) class."""
        return confusion_matrix(self.annotated, self.predicted, self.n_classes)

    @cached_property
    def areas(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Areas of the annotated and the predicted particles, in pixels.

        Particle is the only label besides 0, so that the label maps are their own masks.
        """
        return components.particle_areas(self.annotated), components.particle_areas(self.predicted)

    @cached_property
    def size_test(self) -> tuple[float, float, bool]:
        """Statistic, p-value and verdict of the test of the particles' sizes."""
        return particle_sizes.compared_sizes(*self.areas)

    @cached_property
    def size_errors(self) -> SizeErrors:
        """Errors of number and size of the particles."""
        return particle_sizes.size_errors(*self.areas, self.pixel_size_um)

    @cached_property
    def instances(self) -> InstanceScores:
        """Agreement of single particles."""
        from uhcs_bench.metrics import instances

        return instances.match_instances(
            components.label_particles(self.annotated), components.label_particles(self.predicted)
        )

    @cached_property
    def has_boundary(self) -> NDArray[np.bool_]:
        """For each class whether the annotation has a boundary of it."""
        from uhcs_bench.metrics import boundaries

        _, recall = boundaries.boundary_precision_recall(
            self.annotated, self.predicted, self.n_classes
        )
        return ~np.isnan(recall)

    @cached_property
    def zone_widths_px(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Widths of the annotated and the predicted denuded zones, as the authors sample them."""
        from uhcs_bench.metallography import denuded_zone

        annotated, predicted = (
            denuded_zone.denuded_zone_widths(labels).widths_px
            for labels in (self.annotated, self.predicted)
        )
        return annotated, predicted

    @cached_property
    def clear_widths(self) -> tuple[UnobstructedWidths, UnobstructedWidths]:
        """Widths of the annotated and the predicted denuded zones, along lines through them."""
        from uhcs_bench.metallography import denuded_zone

        annotated, predicted = (
            denuded_zone.unobstructed_widths(labels) for labels in (self.annotated, self.predicted)
        )
        return annotated, predicted
