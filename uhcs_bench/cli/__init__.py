"""The command ``uhcs-bench``.

Results go to standard output, progress and errors to standard error. Each command imports what it
needs when it runs: at this size of data, imports cost more than the work.
"""

from __future__ import annotations

import click

from uhcs_bench._version import __version__
from uhcs_bench.cli import (
    audit,
    calibrate,
    check,
    collect,
    combine,
    compare,
    demo,
    describe,
    download,
    export,
    leaderboard,
    measure,
    score,
    sources,
    submit,
    validate,
)
from uhcs_bench.cli.common import EXIT_CODES, ReportingGroup


@click.group(
    cls=ReportingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, package_name="uhcs-bench")
def main() -> None:
    """Benchmark for the segmentation of ultrahigh-carbon-steel micrographs."""


for _command in (
    download.download,
    sources.sources,
    audit.audit,
    describe.describe,
    export.export,
    collect.collect,
    score.score,
    compare.compare,
    check.check,
    demo.demo,
    validate.validate,
    submit.submit,
    leaderboard.leaderboard,
    measure.measure,
    calibrate.calibrate,
    combine.combine,
):
    main.add_command(_command)
