"""The command ``uhcs-bench sources``."""

from __future__ import annotations

import click

from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    echo,
    format_option,
)


@click.command(
    cls=GuardedCommand, epilog="\b\nExample:\n  uhcs-bench sources --format json\n" + EXIT_CODES
)
@format_option("table", "json")
def sources(form: str) -> None:
    """Ask every source of the data whether it answers now.

    Sources stand in the order in which "download" tries them. Addresses are
    printed without users, passwords and queries.
    """
    from uhcs_bench.data.download import survey

    states = survey.survey()
    echo(survey.to_json(states) if form == "json" else survey.to_text(states))
