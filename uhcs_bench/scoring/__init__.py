"""Scores of a submission, their comparison, and their output as text and web page.

`submission` reads label maps, `score` scores them, `results` holds the scores, `conventions` the
means, `extended` further measures, `comparison` the paired tests; `text` and `report` write them.

Imports: `data`, `web` and what stands below them.
"""
