"""The command ``uhcs-bench download``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uhcs_bench import protocol
from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    InputPath,
    Name,
    echo,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n  uhcs-bench download all\n  uhcs-bench download all --verify\n"
    "  uhcs-bench download all --from ~/Downloads/particles.zip\n" + EXIT_CODES,
)
@click.argument(
    "task",
    metavar="[particles|microconstituents|all]",
    default="all",
    type=Name(*protocol.TASKS, "all"),
)
@click.option(
    "--verify",
    is_flag=True,
    help="Recheck every pixel of the cache; name what is damaged and fetch it again.",
)
@click.option(
    "--from",
    "copy",
    metavar="FOLDER_OR_ZIP",
    type=InputPath(),
    help="Import a copy that you already have, whatever its files are called, instead of fetching.",
)
def download(task: str, verify: bool, copy: Path | None) -> None:
    """Fetch micrographs and label maps and verify every pixel.

    What the cache already has is not fetched again. UHCS_BENCH_CACHE moves the
    cache, UHCS_BENCH_MIRROR names a folder or base URL that is tried first,
    UHCS_BENCH_OFFLINE=1 forbids the network.
    """
    from uhcs_bench.data import registry
    from uhcs_bench.data.download import fetch

    names = list(protocol.TASKS) if task == "all" else [protocol.task(task).name]
    entries = [entry for name in names for entry in registry.entries(name)]
    if verify:
        echo(fetch.verify(entries))
    if copy is not None:
        echo(fetch.import_from(copy, entries))
        return
    fetched = fetch.fetch(entries)
    echo(
        f"{len(entries)} micrographs in {fetch.cache_folder()}: {fetched} fetched and verified, "
        f"{len(entries) - fetched} were there."
    )
