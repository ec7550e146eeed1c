"""Downloads into a cache that is verified by pixel hashes.

`fetch` gets what the cache lacks, `sources` lists where a file can come from, and `settings` holds
timeouts and limits.

Imports: `data`, and what `data` may import.
"""
