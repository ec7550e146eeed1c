"""Files: images, tables with units, and writing that leaves no half-written file.

One decoder reads every image (`images`), one writer makes CSV, JSON and Parquet (`tables`), and
`atomic` replaces a file or folder only when it is complete.

Imports: `errors` and `paper`.
"""
