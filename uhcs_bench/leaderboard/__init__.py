"""The leaderboard: read, check and create entries, rank them, write the board's pages.

Imports scoring and what is below.
"""
