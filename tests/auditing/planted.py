"""Micrographs and audits for tests of the audit: blobs with a label map in its place."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from scipy import ndimage

from tests.helpers.registry_entries import entry
from uhcs_bench import protocol
from uhcs_bench.auditing import audit
from uhcs_bench.data import registry
from uhcs_bench.data.dataset import Dataset
from uhcs_bench.data.micrograph import Micrograph

SHAPE = (120, 160)
UNHURRIED = settings(max_examples=15, deadline=None)


def picture(seed, shape=SHAPE):
    """Gray levels and label map of bright blobs, the map in its place."""
    random = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(random.standard_normal(shape), 3)
    labels = (blobs > 0.8 * blobs.std()).astype(np.uint8)
    gray = 60 + 120 * ndimage.gaussian_filter(labels.astype(float), 0.7)
    return (gray + random.normal(0, 12, shape)).clip(0, 255).astype(np.uint8), labels


def micrograph(
    name,
    pixels,
    fold=0,
    task="particles",
    sample=None,
    claims=(0.04,),
    um=0.04,
    filled_rows=(),
):
    """A micrograph from its gray levels and label map."""
    image, labels = pixels
    known = entry(
        name,
        image.shape,
        task=task,
        fold=fold,
        pixel_size=registry.PixelSize(um, "test", dict(zip("abc", claims, strict=False)), False),
        heat_treatment=registry.HeatTreatment(sample, None, None, None),
    )
    return Micrograph(known, image, labels, filled_rows)


def audited(*micrographs, task="particles"):
    """Audit of one task."""
    return audit.audit([Dataset(protocol.task(task), "1.0", micrographs)])


def kinds(found):
    """Kinds of an audit's findings."""
    return {finding.kind for finding in found.findings}


LEAKS = {"duplicate", "overlap", "shared micrograph"}
