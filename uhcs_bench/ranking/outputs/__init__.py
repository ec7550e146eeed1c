"""The board for readers: JSON, table, Markdown page, web site, and text for a terminal."""
