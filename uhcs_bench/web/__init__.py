"""Parts of web pages that report and board share.

Templates (`templates`), the plot of size distributions (`size_plot`) and pictures of label maps
(`pictures`).

Imports: `metrics`, `synthetic` and what stands below them.
"""
