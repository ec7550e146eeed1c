"""Ranked submissions: entries, their validation, the board and its pages.

`entry` reads and checks an entry, `declaration` its YAML, `board` ranks, `page` and `site` write.

Imports: `scoring`, `measuring`, `auditing` and what stands below them.
"""
