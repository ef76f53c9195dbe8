"""The libraries that only some processes need, and the extras of the package that install them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

from triggers.errors import MissingExtra

LIBRARIES: Final = {
    "agent": ("faust", "mode", "rocksdict", "aiohttp", "prometheus_client", "uvloop"),
    "api": ("httptools", "jwt", "prometheus_client", "starlette", "uvicorn", "uvloop"),
    "celery": ("celery", "kombu", "billiard", "prometheus_client"),
    "console": ("jinja2", "httptools", "jwt", "prometheus_client", "starlette", "uvicorn", "uvloop"),
    "msk": ("aws_msk_iam_sasl_signer",),
}
"""The modules of each extra."""
_ON_SOME_PLATFORMS: Final = frozenset({"httptools", "uvloop"})
"""Modules that the extras install on some platforms only, so that their absence is no error."""


def require_extras(what: str, *extras: str) -> None:
    """Raises MissingExtra if libraries of the extras are not installed. Imports none of them."""
    needed = [name for extra in extras for name in LIBRARIES[extra] if name not in _ON_SOME_PLATFORMS]
    missing = [name for name in needed if not _is_installed(name)]
    if missing:
        raise _missing(what, missing[0], "all" if len(extras) > 1 else extras[0])


def _is_installed(module: str) -> bool:
    """Returns whether the module can be imported. One that was imported may have no spec any more, such as Faust."""
    return module in sys.modules or find_spec(module) is not None


def explain_missing(error: ModuleNotFoundError, what: str, extra: str) -> ModuleNotFoundError | MissingExtra:
    """Returns the error that says which extra has the module, or the same error if the extra does not have it."""
    library = (error.name or "").partition(".")[0]
    return _missing(what, library, extra) if library in LIBRARIES[extra] else error


def _missing(what: str, library: str, extra: str) -> MissingExtra:
    return MissingExtra(f"{what} needs {library}, which is not installed: pip install 'kafka-triggers[{extra}]'")
