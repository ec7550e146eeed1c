"""The command ``uhcs-bench``.

Results go to standard output, progress and errors to standard error. A command is imported when it
is run, and imports what it needs then: at this size of data, imports cost more than the work. The
list of commands in the help imports none of them.
"""

from __future__ import annotations

import atexit
import gc
from collections import UserDict
from importlib import import_module
from typing import cast

import click

from uhcs_bench._version import __version__
from uhcs_bench.cli.common import EXIT_CODES, ReportingGroup

# At its end the interpreter would look through all objects for cycles, several times, though the
# process gives everything back at once: that took a tenth of the time of a short command.
atexit.register(gc.freeze)

SUMMARIES = {
    "audit": "Say what is wrong inside the data, recomputed from them.",
    "calibrate": "Say how far the measures are off where the truth is known.",
    "check": "Find out what a claimed score is a score of.",
    "collect": "Gather another tool's predictions of all folds for scoring.",
    "combine": "Measure particles inside the spheroidite of larger fields.",
    "compare": "Compare submissions micrograph by micrograph.",
    "demo": "Generate, segment and score a small synthetic set, offline.",
    "describe": "Write standard descriptions of the data sets.",
    "download": "Fetch micrographs and label maps and verify every pixel.",
    "export": "Write the data in the form that another tool reads.",
    "leaderboard": "Build the leaderboard from its entries, or print a board.",
    "measure": "Measure sizes, widths and fractions on micrographs or maps.",
    "score": "Score predicted label maps against the annotations.",
    "sources": "Ask every source of the data whether it answers now.",
    "submit": "Make an entry of predicted label maps.",
    "validate": "Check entries of the leaderboard, offline.",
}
"""First sentence of each command's help, by the command's name and its module's."""


class _Commands(UserDict[str, click.Command]):
    """Commands by name; each is imported when it is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in self.data:
            raise KeyError(name)
        return cast("click.Command", getattr(import_module(f"{__name__}.{name}"), name))


class _Group(ReportingGroup):
    """The group of all commands, whose help needs none of them."""

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click gives it
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands."""
        limit = formatter.width - 6 - max(map(len, SUMMARIES))
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(limit))
                    for name, command in _PLACEHOLDERS.items()
                ]
            )


_PLACEHOLDERS = {name: click.Command(name, help=text) for name, text in SUMMARIES.items()}


@click.group(
    cls=_Group,
    commands=_Commands(_PLACEHOLDERS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="\b\nExamples:\n"
    "  uhcs-bench measure micrographs/ --task particles --out sizes.csv\n"
    "  uhcs-bench score preds/\n" + EXIT_CODES,
)
@click.version_option(__version__, package_name="uhcs-bench")
def main() -> None:
    """Benchmark for the segmentation of ultrahigh-carbon-steel micrographs."""
