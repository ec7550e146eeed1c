"""Parts of web pages that report, audit, board and notebooks share.

Templates, styles and scripts (`templates`), the plot of size distributions (`size_plot`), pictures
of label maps (`pictures`) and what Jupyter shows of an object (`notebook`).

Imports: `metrics`, `synthetic` and what stands below them.
"""
