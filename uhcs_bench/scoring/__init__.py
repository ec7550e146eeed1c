"""Score label maps against the annotations, compare scores, and write them as text or a page.

Imports data, web, metrics and what is below.
"""
