"""A recorded log is a source of the console."""

from __future__ import annotations

import pytest
from tests.support.console_log import log_events
from tests.support.source_suite import SourceSuite

from triggers.console.sources import FileSource, Source


class TestFileSource(SourceSuite):
    @pytest.fixture
    def source(self) -> Source:
        return FileSource(log_events())
