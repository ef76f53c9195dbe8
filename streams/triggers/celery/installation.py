"""`install()`: the one line an application adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from triggers.celery import no_broker
from triggers.celery.bootstep import CommandStep
from triggers.celery.celery_private import check_celery
from triggers.celery.result_publisher import ResultPublisher
from triggers.celery.result_signals import ResultSignals
from triggers.celery.task_registration import share_tasks_with_children
from triggers.errors import CallError
from triggers.settings import Settings

_STEP: Final = "triggers-commands"
_DEFAULT_MANAGER: Final = "default"


@dataclass(frozen=True, slots=True)
class Installation:
    """What all apps of this process share: Celery's signals are the process's, not an app's."""

    settings: Settings
    publisher: ResultPublisher
    manager: str


_installed: list[Installation] = []


def install(app: Any, settings: Settings | None = None, *, consume: bool = True, manager: str | None = None) -> None:
    """Make the workers of a Celery app run the commands of `<ns>.commands` and publish what becomes of them.

    Call it where the app is made, at import, so that every worker and its children do. It connects to nothing; without
    settings those of the environment are taken. An app that has no `broker_url` gets `none://`, that is none at all;
    with one, the app's own `.delay()` keeps using it. `consume=False` is for the workers of an app whose commands come
    from `triggers dispatcher`: they publish results only, and acknowledge late. `manager` is the key, in
    `trigger_managers`, of what tasks find as `context.manager`.

    Twice is once. Raises UnsupportedCelery, SettingsError, and CallError for a second call with other settings.
    """
    check_celery()
    no_broker.register()
    publisher = _install_once(settings, manager).publisher
    share_tasks_with_children(app)
    if not consume:
        app.add_defaults({"task_acks_late": True})
        return
    _default_to_no_broker(app)
    if not any(getattr(step, "name", "") == _STEP for step in app.steps["consumer"]):
        # Celery makes the step from its class, once for each consumer and without arguments of ours: a class of its own
        # carries the publisher. An attribute of CommandStep itself would be shared by all apps of the process.
        app.steps["consumer"].add(type("CommandStep", (CommandStep,), {"publisher": publisher, "name": _STEP}))


def installed_settings() -> Settings:
    """Settings of the installation in this process, else those of the environment. Raises SettingsError."""
    return _installed[0].settings if _installed else Settings.from_env()


def installed_manager() -> str:
    """Key of the manager that tasks of this process find in their context."""
    return _installed[0].manager if _installed else _DEFAULT_MANAGER


def _default_to_no_broker(app: Any) -> None:
    """Written into the app's own configuration: that is what a spawned child gets."""

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
        raise CallError("install() was called in this process with other settings already")
    return first
