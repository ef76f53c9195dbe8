"""Runs the program `triggers` as `python -m triggers.cli`."""

from triggers.cli.program import main

main(prog_name="triggers")
