"""Entries of the leaderboard: a folder of label maps and ``entry.yaml``.

`entry` reads and checks an entry, `entry_files` its folder, `declaration` its YAML; `create` makes
one.
"""
