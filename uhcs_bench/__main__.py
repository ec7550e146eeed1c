"""Run the command as ``python -m uhcs_bench``."""

from uhcs_bench.cli import main

main(prog_name="uhcs-bench")
