"""The clients of Kafka and of the workers that all operations of the API share. They connect on first use."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from triggers.api.operations import JSON
from triggers.client.async_publisher import AsyncPublisher
from triggers.client.blocking_calls import BlockingCalls
from triggers.client.owners import Owners
from triggers.client.session_events import SessionEvents
from triggers.client.session_reader import SessionReader
from triggers.client.session_repairs import SessionRepairs
from triggers.client.session_search import SessionSearch
from triggers.jobs.job_threads import JobThreads
from triggers.settings import Settings

SOURCE: Final = "api"
"""`source` of the events of the API, except for fires with a token, whose source is the name of the token."""


class Services:
    """The clients of one API."""

    def __init__(self, settings: Settings, source: str = SOURCE) -> None:
        """`source` names the process in the records of its events."""
        self.settings: Final = settings
        self.publisher: Final = AsyncPublisher(settings, source, max_events=settings.api_max_in_flight)
        owners = Owners(settings)
        self.reader: Final = SessionReader(settings, owners)
        self.search: Final = SessionSearch(settings, owners)
        self.events: Final = SessionEvents(settings, self.reader)
        self.jobs: Final = JobThreads(settings, self.search, self.reader)
        self.blocking: Final = BlockingCalls()
        self.repairs: Final = SessionRepairs(
            settings, self.publisher, self.reader, self.events, self.blocking, source=source
        )

    async def close(self) -> None:
        """Waits until what was fired is acknowledged, and ends the threads."""
        self.jobs.close()
        await self.publisher.close()
        self.blocking.close()


def json_response(value: object, status: int = 200) -> Response:
    """Returns a response with the value as JSON."""
    return Response(msgspec.json.encode(value), status, media_type=JSON)
