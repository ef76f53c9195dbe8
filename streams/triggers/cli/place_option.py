"""Option type for the coordinates of a record, as commands print them: `<partition>/<offset>`."""

from __future__ import annotations

import click

from triggers.client.kafka_sender import Coordinates


class Place(click.ParamType):
    """The coordinates of a record in its topic."""

    name = "PARTITION/OFFSET"

    def convert(
        self, value: str | Coordinates, param: click.Parameter | None, ctx: click.Context | None
    ) -> Coordinates:
        if isinstance(value, Coordinates):
            return value
        partition, _, offset = value.partition("/")
        if not (partition.isdecimal() and offset.isdecimal()):
            self.fail(f"{value!r} must be <partition>/<offset>, such as 3/17", param, ctx)
        return Coordinates(int(partition), int(offset))
