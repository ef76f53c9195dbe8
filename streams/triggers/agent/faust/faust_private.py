"""Every private name of Faust and mode that the worker uses, checked at start.

Faust has no public extension points for recovery and for the partitions' files. Its version is pinned, and the worker
does not start with another one.
"""

from __future__ import annotations

import inspect
from typing import Final

import faust
from faust.stores.rocksdb import Store
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer
from faust.web.base import Web
from faust.web.drivers.aiohttp import Web as AiohttpWeb

from triggers.process.exits import ExitCode, Stop

SUPPORTED: Final = "0.15.3"

_NAMES: Final[dict[type, tuple[str, ...]]] = {
    faust.App: (
        "_new_web",
        "_on_agent_error",
        "_on_partitions_assigned",  # -> tables.on_rebalance, agents.on_rebalance
        "_on_partitions_revoked",
        "on_rebalance_start",
        "on_rebalance_end",
    ),
    Consumer: ("on_partitions_assigned", "on_partitions_revoked", "_commit_handler", "_commit_livelock_detector"),
    Collection: ("_new_store",),
    Store: (
        "_open_for_partition",  # opens one partition's RocksDB
        "_db_for_partition",  # opens it at most once
        "revoke_partitions",
        "partition_path",
    ),
    TableManager: ("_update_channels", "recovery"),
    Recovery: (
        "_restart_recovery",  # the task that waits for rebalances and restores; replaced
        "_wait",  # raises RebalanceAgain, ServiceStopped
        "_set_recovery_started",
        "on_recovery_completed",
        "on_rebalance",  # called by TableManager.on_rebalance once the files are open
    ),
    Web: ("_enabled_blueprints", "init_server"),
    AiohttpWeb: ("_create_site",),
}


def check_faust() -> None:
    """Raises Stop unless this is the supported version and has every private name that the worker uses."""
    if faust.__version__ != SUPPORTED:
        raise Stop(ExitCode.MISFIT, f"Faust {faust.__version__} is installed, but {SUPPORTED} is needed: install it")
    missing = [
        f"{owner.__qualname__}.{name}" for owner, names in _NAMES.items() for name in names if not _has(owner, name)
    ]
    if missing:
        raise Stop(ExitCode.MISFIT, f"the installed Faust {SUPPORTED} lacks {', '.join(missing)}: reinstall it")


def _has(owner: type, name: str) -> bool:
    return inspect.getattr_static(owner, name, None) is not None
