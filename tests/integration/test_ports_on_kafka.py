"""What reads and writes Kafka passes the suites of its ports, which the implementations in memory pass, too."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from tests.support.console_log import log_events
from tests.support.source_suite import SourceSuite
from tests.support.stream_suite import Stream, StreamSuite
from tests.support.worker_process import WorkerProcess

from triggers.client import KafkaPublisher, SessionReader
from triggers.console.sources import KafkaSource, Source
from triggers.kafka.topics import create_topics
from triggers.settings import Settings

pytestmark = pytest.mark.broker


@pytest.fixture(scope="class")
def installation(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation with a worker, which the tests of a class share."""
    settings = Settings(
        brokers=broker,
        namespace=f"t{uuid.uuid4().hex[:10]}",
        partitions=4,
        data_dir=tmp_path_factory.mktemp("data"),
        session_timeout_s=6.0,
        read_timeout_s=60.0,
        publish_timeout_s=60.0,
    )
    create_topics(settings)
    with WorkerProcess(settings, "w-0") as worker:
        worker.wait_ready()
        yield settings


@pytest.fixture(scope="class")
def publisher(installation: Settings) -> Iterator[KafkaPublisher]:
    publisher = KafkaPublisher(installation)
    yield publisher
    publisher.close()


@pytest.fixture(scope="class")
def kafka_source(installation: Settings, publisher: KafkaPublisher) -> Source:
    """A source whose installation has applied the whole log of the suite."""
    written = {uid: publisher.publish(uid, event) for uid, event in log_events()}
    reader = SessionReader(installation)
    for uid, coordinates in written.items():
        reader.read(uid, coordinates)
    return KafkaSource(installation)


class TestSourceOnKafka(SourceSuite):
    @pytest.fixture
    def source(self, kafka_source: Source) -> Source:
        return kafka_source


class TestStreamOnKafka(StreamSuite):
    @pytest.fixture
    def stream(self, installation: Settings, publisher: KafkaPublisher) -> Stream:
        return Stream(publisher, SessionReader(installation))
