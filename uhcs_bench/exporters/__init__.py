"""The data sets in the formats of other tools.

A module for each format, with a function ``write``; `export` chooses one, `common` holds what they
share, `card` and `croissant` describe the data.

Imports: `scoring`, `measuring`, `auditing` and what stands below them.
"""
