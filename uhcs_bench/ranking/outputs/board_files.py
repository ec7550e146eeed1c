"""Write and compare the files of the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import paths
from uhcs_bench.io.atomic import replacing
from uhcs_bench.ranking.outputs import board_json
from uhcs_bench.ranking.outputs.board_json import DATA_NAME, PACKAGED
from uhcs_bench.ranking.outputs.markdown_page import MARKER, PAGE_NAME, RULES_NAME, to_markdown

if TYPE_CHECKING:
    from pathlib import Path

    from uhcs_bench.ranking.board import Board

SHIPPED = PACKAGED.parents[2] / "leaderboard"
"""Its entries, in a copy of the repository."""


_MARKS = {
    PAGE_NAME: MARKER.encode(),
    DATA_NAME: f'"schema": "{board_json.SCHEMA.rpartition("/")[0]}/'.encode(),
}
"""Text by which a file of an earlier build is recognised."""


class OutdatedError(UhcsBenchError):
    """Committed files that differ from what the label maps give."""


def write(folder: Path, board: Board) -> None:
    """Write ``README.md`` and ``leaderboard.json``, each atomically.

    Parameters
    ----------
    folder : Path
    board : Board

    Raises
    ------
    ProtectedFileError
        If the folder has files of these names that are not of a board.
    """
    for path, text in _files(folder, board).items():
        # A clone of the repository has them from another machine.
        with replacing(path, mark=_MARKS[path.name]) as partial:
            partial.write_text(text, encoding="utf-8")


def check(folder: Path, board: Board) -> None:
    """Compare what is committed with what the label maps give.

    Raises
    ------
    OutdatedError
        If a file differs; the message names the first line that does.
    """
    problems = []
    for path, text in _files(folder, board).items():
        found = path.read_bytes().decode("utf-8", "replace") if path.is_file() else None
        if found is None:
            problems.append(f"{path} is not there")
        elif found != text:
            pairs = zip(found.splitlines(), text.splitlines(), strict=False)
            line = next((i for i, (a, b) in enumerate(pairs, 1) if a != b), None)
            where = "in its length" if line is None else f"from line {line} on"
            problems.append(f"{path} differs {where}")
    if problems:
        raise OutdatedError(
            f"{'; '.join(problems)}. Nothing was written; to write what the label maps give: "
            f"uhcs-bench leaderboard build --entries {folder}"
        )


def _files(folder: Path, board: Board) -> dict[Path, str]:
    data = board_json.to_json(board)
    is_shipped = paths.real(folder) == SHIPPED
    page = to_markdown(
        board,
        folder=paths.real(folder).name,
        is_shipped=is_shipped and (folder / RULES_NAME).is_file(),
    )
    found = {folder / PAGE_NAME: page, folder / DATA_NAME: data}
    return found | {PACKAGED: data} if is_shipped else found
