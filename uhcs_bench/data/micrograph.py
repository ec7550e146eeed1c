"""A micrograph with its annotation, pixel size and heat treatment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from uhcs_bench import protocol

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from uhcs_bench.data.registry import Entry, HeatTreatment, PixelSize


@dataclass(frozen=True, eq=False, repr=False)
class Micrograph:
    """An annotated micrograph. It is immutable, and its arrays are read-only.

    `load` returns them in a `Dataset`.

    Attributes
    ----------
    entry : Entry
        Its record in the registry: sources, hashes, licence, citation.
    image : ndarray of uint8, shape (rows, columns)
        Gray levels, read-only.
    labels : ndarray of uint8, shape (rows, columns)
        Class labels, positions in the task's ``classes``, read-only.
    filled_rows : tuple of int
        Rows of `image` that its source had lost and that repeat a neighbour.
    sources : tuple of str
        URLs of image and labels; empty for a generated micrograph.
    filled_label_rows : tuple of int
        Rows of `labels` that repeat a neighbour, because the annotation has none for them; only
        in the audited version.

    Examples
    --------
    >>> from uhcs_bench import load
    >>> micrograph = load("particles", version="synthetic")[0]
    >>> micrograph
    <Micrograph synthetic-particles-00: particles synthetic, fold 0, 192x256>
    >>> micrograph.image.dtype, micrograph.pixel_size_um
    (dtype('uint8'), 0.04)
    """

    entry: Entry
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    filled_rows: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    filled_label_rows: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """Name of the micrograph, and of its label map in a submission."""
        return self.entry.id

    @property
    def task(self) -> protocol.TaskName:
        """Name of the task."""
        return self.entry.task

    @property
    def version(self) -> protocol.Version:
        """Data set version."""
        return self.entry.version

    @property
    def fold(self) -> int:
        """Validation fold that the micrograph belongs to in the split it was loaded with."""
        return self.entry.fold

    @property
    def pixel_size_um(self) -> float | None:
        """Edge of a pixel in micrometres; None where no reliable source states it."""
        return self.entry.pixel_size.um

    @property
    def pixel_size(self) -> PixelSize:
        """The pixel size with its provenance."""
        return self.entry.pixel_size

    @property
    def heat_treatment(self) -> HeatTreatment:
        """Annealing and cooling of the sample."""
        return self.entry.heat_treatment

    def show(self, labels: ArrayLike | None = None) -> Figure:
        """Draw the micrograph beside its annotation, and beside predicted labels with their errors.

        Parameters
        ----------
        labels : array_like of integers, shape (rows, columns), optional
            Predicted label map.

        Returns
        -------
        matplotlib.figure.Figure
            As of `uhcs_bench.plot.micrograph`. Jupyter shows it; a script saves it by ``savefig``
            or opens a window by ``matplotlib.pyplot.show()``.

        Raises
        ------
        MissingPackageError
            If matplotlib is not installed.
        UsageError
            If `labels` are no label map of this micrograph.

        Examples
        --------
        >>> from uhcs_bench import load
        >>> micrograph = load("particles", version="synthetic")[0]
        >>> len(micrograph.show().axes), len(micrograph.show(micrograph.labels).axes)
        (2, 4)
        """
        from uhcs_bench import plot

        return plot.micrograph(self, labels)

    def _repr_html_(self) -> str:
        from uhcs_bench.data.facts import facts
        from uhcs_bench.web import notebook, pictures

        task = protocol.TASKS[self.task]
        bar = pictures.scale_bar(self.pixel_size_um, self.entry.shape[1])
        panels = [
            notebook.Panel("micrograph", pictures.gray(self.image), bar),
            notebook.Panel("annotation", pictures.label_image(self.labels, task.colors)),
        ]
        about = [f"{self.task} {self.version}", *facts(self)]
        return notebook.html(self.id, about, panels, pictures.legend(task))

    def __repr__(self) -> str:
        rows, columns = self.entry.shape
        where = f"{self.task} {self.version}, fold {self.fold}"
        return f"<Micrograph {self.id}: {where}, {rows}x{columns}>"
