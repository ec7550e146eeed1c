"""Faults inside the data, recomputed from the data.

`overlaps` finds micrographs that show the same spot, `registration` label maps off their
micrograph,
`circumstances` doubtful numbers of single micrographs; `findings` puts all into sentences.

Imports: `data`, `web` and what stands below them.
"""
