"""`python -m triggers.cli` is `triggers`."""

from triggers.cli.program import main

main(prog_name="triggers")
