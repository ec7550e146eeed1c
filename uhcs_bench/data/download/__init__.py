"""Fetching of the real data: sources, fail-over between them, checks, and the cache.

`fetch` is the face of this room. Libraries of the network are imported where a file is fetched, so
that loading from the cache needs none.
"""
