"""`install()`: makes the workers of a Celery app run commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from triggers.celery import no_broker
from triggers.celery.argument_names import allow_any_argument
from triggers.celery.bootstep import CommandStep
from triggers.celery.celery_private import check_celery
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.result_signals import ResultSignals
from triggers.celery.run_logging import use_json_logging
from triggers.celery.run_tracing import export_spans_of_workers
from triggers.celery.task_registration import share_tasks_with_children
from triggers.errors import CallError
from triggers.settings import Settings
from triggers.topology import parse_queues

_STEP: Final = "triggers-commands"
_DEFAULT_MANAGER: Final = "default"


@dataclass(frozen=True, slots=True)
class Installation:
    """The state that all Celery apps of this process share, because Celery's signals belong to the process."""

    settings: Settings
    publisher: ResultPublisher
    manager: str


_installed: list[Installation] = []


def install(
    app: Any,
    settings: Settings | None = None,
    *,
    consume: bool = True,
    manager: str | None = None,
    queues: Sequence[str] | None = None,
) -> None:
    """Makes the workers of a Celery app run the commands of their queues and publish their results.

    Call it in the module that creates the app, so that every worker and its children call it on import. It does not
    connect to anything. `settings` are by default those of the environment. An app without `broker_url` gets
    `none://`, which means no broker; otherwise the app's own `.delay()` continues to use its broker.

    `queues` names the queues whose commands the workers take, such as `["billing"]`; `"@default"` stands for the
    commands whose rules name no queue. The default is `TRIGGERS_QUEUES` or, if that is empty, only those commands.

    If `log_format` is `json`, Celery's handlers write JSON, in which the lines of a run name its command.

    With `consume=False`, workers only publish results, and acknowledge late; use it if `triggers dispatcher` dispatches
    the commands. `manager` is the key in `trigger_managers` of the manager that tasks find as `context.manager`.

    Idempotent. Raises UnsupportedCelery, SettingsError, and CallError for a second call with other settings.
    """
    check_celery()
    allow_any_argument()
    no_broker.register()
    publisher = _install_once(settings, manager).publisher
    share_tasks_with_children(app)
    export_spans_of_workers()
    if publisher.settings.log_format == "json":
        use_json_logging()
    if not consume:
        app.add_defaults({"task_acks_late": True})
        return
    _default_to_no_broker(app)
    if not has_command_step(app):
        _add_command_step(app, publisher, publisher.settings.queue_names if queues is None else queues)


def _add_command_step(app: Any, publisher: ResultPublisher, queues: Sequence[str]) -> None:
    """Adds a step whose class belongs to this app alone.

    Celery creates the step from its class, without arguments of ours, so a subclass carries the publisher. An attribute
    of CommandStep itself would be shared by all apps of the process.
    """
    attributes = {"publisher": publisher, "queues": parse_queues(queues), "name": _STEP}
    app.steps["consumer"].add(type("CommandStep", (CommandStep,), attributes))


def has_command_step(app: Any) -> bool:
    """Returns whether `install` was called for the app, so that its workers read commands from Kafka."""
    return any(getattr(step, "name", "") == _STEP for step in app.steps["consumer"])


def installed_settings() -> Settings:
    """Returns the settings of `install()` in this process, or those of the environment. Raises SettingsError."""
    return _installed[0].settings if _installed else Settings.from_env()


def installed_manager() -> str:
    """Returns the key of the manager that tasks of this process find in their context."""
    return _installed[0].manager if _installed else _DEFAULT_MANAGER


def _default_to_no_broker(app: Any) -> None:
    """Sets `none://` in the app's own configuration, because a spawned child gets only that."""

    def choose(source: Any, **_: object) -> None:
        if not source.broker_url:
            source.broker_url = no_broker.URL

    if app.configured:
        choose(app.conf)
    else:
        app.on_after_configure.connect(choose, weak=False)


def _install_once(settings: Settings | None, manager: str | None) -> Installation:
    if not _installed:
        settings = settings or Settings.from_env()
        publisher = ResultPublisher(settings)
        ResultSignals(publisher).connect()
        _installed.append(Installation(settings, publisher, manager or _DEFAULT_MANAGER))
    first = _installed[0]
    if (settings or first.settings, manager or first.manager) != (first.settings, first.manager):
        raise CallError(
            "install() was already called in this process with other settings or another manager: pass the same ones to"
            " every call"
        )
    return first
