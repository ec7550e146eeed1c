"""The files of the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io.atomic import replacing
from uhcs_bench.ranking.board import DATA_NAME, PAGE_NAME, SCHEMA
from uhcs_bench.ranking.page import to_markdown

if TYPE_CHECKING:
    from pathlib import Path

    from uhcs_bench.ranking.board import Board


_MARK = b"<!-- Written by `uhcs-bench leaderboard build`"


class OutdatedError(UhcsBenchError):
    """What is committed is not what the label maps give."""


def write(folder: Path, board: Board) -> None:
    """Write ``README.md`` and ``leaderboard.json``, each atomically.

    Parameters
    ----------
    folder : Path
    board : Board
    """
    marks = {PAGE_NAME: _MARK, DATA_NAME: f'"schema": "{SCHEMA}"'.encode()}
    for name, text in _files(board).items():
        # A clone of the repository has them from another machine.
        with replacing(folder / name, mark=marks[name]) as partial:
            partial.write_text(text, encoding="utf-8")


def check(folder: Path, board: Board) -> None:
    """Compare what is committed with what the label maps give.

    Raises
    ------
    OutdatedError
        If a file differs; the message names the first line that does.
    """
    problems = []
    for name, text in _files(board).items():
        path = folder / name
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


def _files(board: Board) -> dict[str, str]:
    return {PAGE_NAME: to_markdown(board), DATA_NAME: board.to_json()}
