"""Downloads into a cache that is verified by pixel hashes.

`fetch` gets what the `cache` lacks, and `sources` fetches from source after source. `http`
downloads one file, with its timeouts and retries; `listings` reads lists of the deposit's files,
`pixel_index` finds micrographs in files of any name by their pixels. `settings` reads the
environment variables, and `survey` asks every source whether it answers.

Imports: `data`, and what `data` may import.
"""
