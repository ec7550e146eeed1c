"""What the web pages of report and board share: templates, pictures, size plot.

Imports metrics, metallography, formatting and what is below.
"""
