"""The logs of tasks: their contexts, their levels, and marking them as resolved."""

from __future__ import annotations

import logging

import pytest

from triggers import MemoryStorageBackend, TriggerManager
from triggers.core.events import ConfigurationUpdated, TaskFinished, TriggerFired
from triggers.exceptions import with_context
from triggers.logging import LocalLogger, LoggerAdapter, LogLevelHandler, MemoryHandler
from triggers.task import StatusChange, TaskContext


def context() -> TaskContext:
    return TaskContext("t#0", "default", "memory", "s", {})


@pytest.fixture
def handler() -> MemoryHandler:
    return MemoryHandler()


@pytest.fixture
def logger(handler: MemoryHandler) -> LocalLogger:
    return LocalLogger().addHandler(handler)


def contexts(handler: MemoryHandler) -> list[dict[str, object]]:
    return [vars(record)["context"] for record in handler]


def test_a_context_is_attached_to_every_message_and_merged_with_the_messages_own(
    logger: LocalLogger, handler: MemoryHandler
) -> None:
    with context().get_logger_context(logger, {"app": {"version": 2}}) as log:
        log.info("one")
        log.info("two", extra={"context": {"app": {"page": 7}}})
        log.context["late"] = True
        log.info("three")

    assert contexts(handler) == [
        {"app": {"version": 2}},
        {"app": {"version": 2, "page": 7}},
        {"app": {"version": 2}, "late": True},
    ]


def test_the_keyword_of_the_frameworks_guide_is_accepted(logger: LocalLogger, handler: MemoryHandler) -> None:
    with context().get_logger_context(logger) as log:
        log.warning("Missing givenNames in response data.", extras={"context": {"page_data": {}}})

    assert contexts(handler) == [{"page_data": {}}]


def test_the_highest_level_counts_even_without_a_handler() -> None:
    task = context()
    assert task.log_level == logging.NOTSET

    with task.get_logger_context() as log:
        log.debug("unheard")
        log.warning("heard")
        log.info("unheard")
    with task.get_logger_context() as log:
        log.info("less than before")

    assert task.log_level == logging.WARNING


@pytest.mark.parametrize("raised", [ValueError("spam"), StatusChange("skipped")])
def test_an_exception_that_leaves_the_block_is_logged_with_its_context_and_propagates(
    raised: Exception, logger: LocalLogger, handler: MemoryHandler
) -> None:
    task = context()

    with pytest.raises(type(raised)), task.get_logger_context(logger, {"a": 1}):
        raise with_context(raised, {"score": 7})

    assert task.log_level == logging.ERROR
    assert contexts(handler) == [{"a": 1, "score": 7}]
    assert str(raised) in str(handler[0].exc_text)


def test_a_local_logger_is_not_disabled_and_its_records_keep_no_frames(
    logger: LocalLogger, handler: MemoryHandler
) -> None:
    logging.disable(logging.CRITICAL)
    try:
        logger.error("it failed", exc_info=RuntimeError("x"))
    finally:
        logging.disable(logging.NOTSET)

    assert (handler.max_level_emitted, len(handler), handler[0].exc_info) == (logging.ERROR, 1, None)
    assert "RuntimeError: x" in str(handler[0].exc_text)


def test_handlers_can_be_cleared(logger: LocalLogger, handler: MemoryHandler) -> None:
    levels = LogLevelHandler()
    logger.addHandler(levels).error("x")

    levels.clear()
    handler.clear()

    assert (levels.max_level_emitted, handler.max_level_emitted, handler.records) == (0, 0, [])


def test_an_adapter_is_the_logger_it_adapts_with_a_context(logger: LocalLogger, handler: MemoryHandler) -> None:
    adapter = LoggerAdapter(logger, {"context": {"a": {"b": 1}}})

    adapter.context["c"] = 2
    adapter.error("x", extra={"context": {"a": {"d": 3}}})

    assert contexts(handler) == [{"a": {"b": 1, "d": 3}, "c": 2}]
    assert adapter.handlers == [handler]


def test_logs_of_a_session_are_unresolved_until_they_are_marked() -> None:
    storage = MemoryStorageBackend("logs")
    storage.write(ConfigurationUpdated(configuration=b'{"t_a": {"after": ["a"], "andEvery": "a", "run": "app.A"}}'))
    for number, level in enumerate((logging.ERROR, logging.WARNING, logging.CRITICAL)):
        storage.write(TriggerFired(trigger="a"))
        assert storage[f"t_a#{number}"].log_level_name == "NOTSET"
        storage.write(TaskFinished(instance=f"t_a#{number}", attempt=1, log_level=level))
    before = [instance.name for instance in storage.get_instances_with_unresolved_logs()]

    TriggerManager(storage).mark_instance_logs_resolved("t_a#0")

    assert before == ["t_a#0", "t_a#2"]
    assert [instance.name for instance in storage.get_instances_with_unresolved_logs()] == ["t_a#2"]
    assert storage["t_a#0"].metadata["logsResolved"] is True
    MemoryStorageBackend.clear()
