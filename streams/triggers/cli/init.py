"""`triggers init` starts a project."""

from __future__ import annotations

from pathlib import Path

import click

from triggers.dev.example import examples_folder
from triggers.dev.new_project import create_project


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init_command(folder: Path) -> None:
    """Start a project in FOLDER: rules, Celery tasks, a test of both, a producer and a compose file.

    Its test passes, and `triggers dev -A app --rules rules.json` in the folder runs it.
    """
    for path in create_project(examples_folder() / "order", folder):
        click.echo(f"created {path}")
    click.echo(
        f"Next: cd {folder} && python -m pytest && triggers dev -A app --rules rules.json;"
        " then, in another terminal: python place_order.py order-1 && triggers show order-1"
    )
