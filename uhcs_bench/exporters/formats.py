"""Registry of the export formats: one module each, one line each.

The module ``uhcs_bench.exporters.<name>`` has a function ``write(folder, sets)`` that returns a
`uhcs_bench.exporters.common.Usage`, and a tuple ``TASKS`` if it can't express all tasks. It is
imported when the format is written.
"""

from __future__ import annotations

FORMATS = {
    "nnunet": "nnU-Net v2, with the folds where it looks for them",
    "mmsegmentation": "MMSegmentation 1.x, with a configuration for each fold",
    "coco": "COCO instances: single particles",
    "huggingface": "a folder for datasets.load_dataset",
    "png": "pairs of PNG files, and a table of the folds",
}
"""Names of the formats, with a description for the command's help."""
