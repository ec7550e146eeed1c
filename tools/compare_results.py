"""Record what the public commands give, and compare two recordings value for value.

A change that moves code and no number is shown to be one: check out the code before it, record
both, compare. Only the command line of a checkout is used, so that modules may move::

    git worktree add before 2cad296
    python -m tools.compare_results record results/before --checkout before
    python -m tools.compare_results record results/after --entries before/leaderboard
    python -m tools.compare_results compare results/before results/after

A recording needs the real data and the leaderboard's label maps, and takes minutes. What was
changed on purpose is named in a file, see `tools.intended_changes`; that of all changes since
commit 2cad296 is ``tools/changes_since_2cad296.toml``.

Exit codes of ``record``: 0 done, 1 a command failed. Of ``compare``: 0 no difference is
unexplained, 1 some are. Both: 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tools import intended_changes, usage
from tools.differences import count_values, differences
from tools.recording import ROOT, record
from uhcs_bench.io import paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.differences import Difference
    from tools.intended_changes import IntendedChanges


def load_recording(folder: Path, pattern: str = "*") -> dict[str, Any]:
    """Read the items of a recording whose names match a glob.

    Raises
    ------
    ValueError
        If there is none, or one is no JSON.
    """
    paths = sorted(path for path in folder.glob("*.json") if fnmatchcase(path.stem, pattern))
    if not paths:
        raise ValueError(
            f"{folder} holds no recorded item that matches {pattern}. Give a folder that "
            "`python -m tools.compare_results record` wrote, or another --only."
        )
    recording = {}
    for path in paths:
        try:
            recording[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no recorded item ({error}). Record it again.") from error
    return recording


def compare(
    before: dict[str, Any],
    after: dict[str, Any],
    changes: IntendedChanges | None = None,
    limit: int = 50,
) -> int:
    """Print what differs between two recordings, and count what no intended change explains.

    Parameters
    ----------
    before, after : dict
        Item names with their results.
    changes : IntendedChanges, optional
        What was changed on purpose; nothing by default.
    limit : int, optional
        How many unexplained differences to print.

    Returns
    -------
    int
        Differences that are not explained. A new key of an object is none.
    """
    changes = changes or intended_changes.IntendedChanges()
    before, after = changes.before(before), changes.after(after)
    explained: Counter[int] = Counter()
    new: list[Difference] = []
    unexplained: list[Difference] = []
    for difference in differences(before, after):
        number = changes.explain(difference)
        if number is not None:
            explained[number] += 1
        else:
            (new if difference.is_new_key else unexplained).append(difference)
    for number, change in enumerate(changes.changed):
        print(f"on purpose: {explained[number]}, {', '.join(change.paths)}: {change.reason}")
    _print_new(new)
    for difference in unexplained[:limit]:
        print(difference)
    if len(unexplained) > limit:
        print(f"... and {len(unexplained) - limit} more")
    print(f"{len({*before, *after})} items compared, {count_values(before)} values before.")
    print(f"{len(unexplained) or 'No'} unexplained difference{'s' * (len(unexplained) > 1)}.")
    return len(unexplained)


def _print_new(new: Sequence[Difference]) -> None:
    """Print the names of new keys of each item, with their number."""
    names: dict[str, Counter[str]] = {}
    for difference in new:
        item, *_, name = difference.path.split("/")
        names.setdefault(item, Counter())[name] += 1
    for item, counted in names.items():
        print(f"new in {item}: {', '.join(f'{name} ({n})' for name, n in counted.items())}")


def _parser() -> argparse.ArgumentParser:
    parser = usage.parser("compare_results", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--only", default="*", metavar="GLOB", help="items to take, such as 'score-*'"
    )
    recording = commands.add_parser("record", parents=[shared], help="record the results")
    recording.add_argument("folder", type=paths.given, metavar="DIR", help="new or empty folder")
    recording.add_argument(
        "--checkout",
        type=paths.given,
        default=ROOT,
        metavar="DIR",
        help="code to run (default: this)",
    )
    recording.add_argument(
        "--entries",
        type=paths.given,
        metavar="DIR",
        help="leaderboard whose entries are taken, by name (default: the checkout's)",
    )
    comparing = commands.add_parser("compare", parents=[shared], help="compare two recordings")
    comparing.add_argument("before", type=paths.given, metavar="A")
    comparing.add_argument("after", type=paths.given, metavar="B")
    comparing.add_argument(
        "--changes", type=paths.given, metavar="TOML", help="what was changed on purpose"
    )
    comparing.add_argument(
        "--limit", type=int, default=50, help="differences to print (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and give its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "record":
        if options.folder.exists() and any(options.folder.iterdir()):
            parser.error(f"{options.folder} is not empty. Nothing is recorded; name another one.")
        failures = record(options.folder, options.only, options.checkout, options.entries)
        print(*failures, sep="\n", end="\n" if failures else "", file=sys.stderr)
        print(f"{len(list(options.folder.glob('*.json')))} items recorded in {options.folder}.")
        return int(bool(failures))
    try:
        before, after = (
            load_recording(folder, options.only) for folder in (options.before, options.after)
        )
        changes = intended_changes.load(options.changes) if options.changes else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return int(compare(before, after, changes, options.limit) > 0)


if __name__ == "__main__":
    sys.exit(main())
