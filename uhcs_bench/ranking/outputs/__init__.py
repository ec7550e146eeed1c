"""The board for readers: JSON, table, Markdown page, web site, and text for a terminal.

`board_json` makes the text of ``leaderboard.json`` and `markdown_page` that of ``README.md``;
`board_files` writes both into the folder of the entries, or compares them with what is there.
`site` writes the folder of web pages that ``--site`` names. `board_rows` and `text_tables` show a
``leaderboard.json`` as a data frame and in a terminal; `sentences` is shared by pages and site.
"""
