"""Allows arguments of any name, such as `self`, because a trigger may have that name and its kwargs are an argument.

Some parameters would be in the way: `self` of `Task.__call__`, by which workers call every task, or of a `__call__` of
the application's own task class, and the first parameter of a bound task (`bind=True`, or a method `run`), which is its
own. They are made positional-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from types import FunctionType, MethodType
from typing import Any

from celery import signals
from celery._state import _task_stack
from celery.app.task import Task
from celery.app.trace import _install_stack_protection

_OWN_NAME = "self"


def allow_any_argument() -> None:
    """Replace `Task.__call__` by a method that takes an argument called `self`, too. Idempotent.

    A worker replaces the method itself when it starts, so this is done first. The methods of the application's own
    classes are changed before the first run that needs it, because the classes are not known yet.
    """
    signals.task_prerun.connect(_on_prerun, weak=False, dispatch_uid=__name__)
    _install_stack_protection()
    call = Task.__call__
    if getattr(call, "allows_any_argument", False):
        return

    @wraps(call)
    def __call__(task: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: N807  # the method's name
        _free_first_name(task, kwargs)
        return call(task, *args, **kwargs) if _OWN_NAME not in kwargs else _call(task, args, kwargs)

    __call__.allows_any_argument = True  # type: ignore[attr-defined]  # a mark on the function
    Task.__call__ = __call__


def _on_prerun(sender: Any, kwargs: Mapping[str, object], **_: object) -> None:
    free_first_names(sender, kwargs)


def free_first_names(task: Any, kwargs: Mapping[str, object]) -> None:
    """Prepare a task for a run with these arguments. Called in the process that runs it."""
    for owner in type(task).__mro__:
        method = vars(owner).get("__call__")
        if isinstance(method, FunctionType) and _is_in_the_way(method, kwargs):
            type.__setattr__(owner, "__call__", _with_positional_first(method))
    _free_first_name(task, kwargs)


def _call(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run the task as Celery's own method does: in the worker's request, or in a new one if it is called directly."""
    requests = task.request_stack
    if requests.top and len(requests) == 1 and not requests.top.called_directly:
        return task.run(*args, **kwargs)
    _task_stack.push(task)
    task.push_request(args=args, kwargs=kwargs)
    try:
        return task.run(*args, **kwargs)
    finally:
        task.pop_request()
        _task_stack.pop()


def _free_first_name(task: Any, kwargs: Mapping[str, object]) -> None:
    """Replace the body of a bound task if an argument has the name of its first parameter."""
    attribute = "_orig_run" if hasattr(task, "_orig_run") else "run"  # Celery wraps the body for `autoretry_for`
    body = getattr(task, attribute)
    function = getattr(body, "__func__", None)
    if isinstance(function, FunctionType) and _is_in_the_way(function, kwargs):
        setattr(task, attribute, MethodType(_with_positional_first(function), body.__self__))


def _is_in_the_way(function: FunctionType, kwargs: Mapping[str, object]) -> bool:
    """Return whether an argument has the name of the function's first parameter, which is the task itself."""
    code = function.__code__
    return bool(code.co_argcount) and not code.co_posonlyargcount and code.co_varnames[0] in kwargs


def _with_positional_first(function: FunctionType) -> FunctionType:
    code = function.__code__.replace(co_posonlyargcount=1)
    copy = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__dict__.update(function.__dict__)
    copy.__doc__, copy.__qualname__ = function.__doc__, function.__qualname__
    copy.__annotations__ = function.__annotations__
    return copy
