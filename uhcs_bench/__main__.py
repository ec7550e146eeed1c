"""Run the command as ``python -m uhcs_bench``."""

from uhcs_bench.cli import main

if __name__ == "__main__":
    main(prog_name="uhcs-bench")
