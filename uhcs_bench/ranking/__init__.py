"""Ranked submissions: entries, their scores, and the board.

`entries` reads, checks and makes entries. `run_scores` scores them, `fit` compares what is measured
on their maps, `pair_tests` ranks them, and `board` holds the result, which `outputs` writes.

Imports: `scoring`, `measuring`, `auditing` and what stands below them.
"""
