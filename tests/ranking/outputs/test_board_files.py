"""The files of the board: written, compared, and never in the place of others."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.helpers.entries import UNFINISHED, declared, write_entry
from uhcs_bench.io.protection import ProtectedFileError, protecting
from uhcs_bench.ranking import board as leaderboard
from uhcs_bench.ranking.outputs import board_files


def test_check_finds_every_difference(board, tmp_path):
    """Check that a build is accepted, and a changed number, a lost and an added line are not."""
    with pytest.raises(board_files.OutdatedError, match=r"README.md is not there.*json is not"):
        board_files.check(tmp_path, board)
    board_files.write(tmp_path, board)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "leaderboard.json"]
    board_files.check(tmp_path, board)
    path = tmp_path / "leaderboard.json"
    text = path.read_text("utf-8")
    number = re.search(r"0\.\d{6}", text)[0]
    line = text[: text.index(number)].count("\n") + 1
    path.write_text(text.replace(number, "0.999999", 1), "utf-8")
    with pytest.raises(
        board_files.OutdatedError, match=f"leaderboard.json differs from line {line}"
    ) as e:
        board_files.check(tmp_path, board)
    assert e.value.exit_code == 1
    path.write_text(text + "\n", "utf-8")
    with pytest.raises(board_files.OutdatedError, match="differs in its length"):
        board_files.check(tmp_path, board)


@pytest.mark.parametrize("name", ["README.md", "leaderboard.json"])
@pytest.mark.parametrize("is_link", [True, False])
def test_files_of_others_are_not_replaced(tmp_path, name, is_link):
    """Check a user's own file, and a link, where the board is written."""
    victim = tmp_path / "victim"
    victim.write_text('{"mine": 1}')
    folder = tmp_path / "board"
    write_entry(folder / "a", {}, declared(tasks=UNFINISHED))
    if is_link:
        (folder / name).symlink_to(victim)
    else:
        shutil.copy(victim, folder / name)
    board = leaderboard.build(*leaderboard.read_entries(folder))
    with pytest.raises(ProtectedFileError, match="--force"):
        board_files.write(folder, board)
    assert victim.read_text() == (folder / name).read_text() == '{"mine": 1}'
    with protecting([], force=True):
        board_files.write(folder, board)
    assert victim.read_text() == '{"mine": 1}'
    board_files.write(folder, board)
    assert "a/" in (folder / "README.md").read_text("utf-8")
