"""What is made of measurements: tables (`tidy`, `combined_tables`), plots, overlays, ImageJ files.

Imports: `row`, `columns`, `pixel_size` of the room above, `web` and what stands below.
"""
