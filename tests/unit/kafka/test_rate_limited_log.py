"""While Kafka is away, a process writes a line a minute."""

from __future__ import annotations

import logging

import pytest

from triggers.kafka.rate_limited_log import RateLimitedLog


def test_one_line_a_minute_counts_the_others(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    log = RateLimitedLog(logging.getLogger("test"), clock=lambda: now)

    for _ in range(20 * 180):  # twenty a second for three minutes
        log.report("Kafka: down")
        now += 0.05

    assert caplog.messages[0] == "Kafka: down"
    assert 3 <= len(caplog.messages) <= 4
    assert all("similar messages were omitted" in message for message in caplog.messages[1:])


def test_a_message_after_a_quiet_minute_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    log = RateLimitedLog(logging.getLogger("test"), clock=lambda: now)

    log.report("Kafka: down")
    now += 61
    log.report("Kafka: down again")

    assert caplog.messages == ["Kafka: down", "Kafka: down again"]
